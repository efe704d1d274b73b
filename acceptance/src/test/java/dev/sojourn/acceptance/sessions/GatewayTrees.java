package dev.sojourn.acceptance.sessions;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.ManualClock;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.Tenant;
import dev.sojourn.server.TestFleet;
import dev.sojourn.server.TestGateway;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Trees of turns at the gateways of a fleet, in SGLang's way, and what their clients believe of
 * them. The prompt of each turn is, id by id, what it goes on from and what is new; its answer is
 * that of a stateless request over the same ids.
 */
final class GatewayTrees {

  private static final int LONG = 250; // tokens: then a client begins anew
  private static final Duration TIMEOUT = Duration.ofMinutes(5);

  private final GatewayClient client;
  private final ManualClock clock;
  private final Consumer<String> see;
  private final List<Tree> trees = IntStream.range(0, 2).mapToObj(i -> new Tree("t" + i)).toList();

  GatewayTrees(GatewayClient client, ManualClock clock, Consumer<String> see) {
    this.client = client;
    this.clock = clock;
    this.see = see;
  }

  /** A turn that was answered. */
  private record Node(String rid, @Nullable Node base, List<Integer> prompt, List<Integer> whole) {

    boolean isBelow(Node other) {
      return base != null && (base.rid.equals(other.rid) || base.isBelow(other));
    }
  }

  private static final class Tree {
    final String name;
    boolean open;
    long deadline;

    /** What it has, unless that was lost. */
    final List<Node> turns = new ArrayList<>();

    /** What it had when a turn may have begun it anew; all of that is there, or nothing. */
    final List<Node> before = new ArrayList<>();

    /** Whether its worker may have lost its turns. */
    boolean doubtful;

    Tree(String name) {
      this.name = name;
    }

    void forget() {
      open = false;
      doubtful = false;
      turns.clear();
      before.clear();
    }
  }

  /** Returns which session a tree is. */
  static SessionId id(int tree) {
    return new SessionId(Tenant.DEFAULT, "t" + tree);
  }

  /** An engine may have lost what it holds. */
  void mayBeLost() {
    trees.forEach(tree -> tree.doubtful = true);
  }

  void open(GatewayOp.OpenTree op) throws Exception {
    Tree tree = trees.get(op.tree());
    Map<String, ?> body = Map.of("session_id", tree.name, "timeout", TIMEOUT.toSeconds());
    HttpResponse<String> opened = client.request(op.gateway(), "POST", "/open_session", body);
    if (isThere(tree)) {
      assertThat(opened.statusCode()).as(opened.body()).isEqualTo(400);
      return;
    }
    assertThat(opened.statusCode()).as(opened.body()).isEqualTo(200);
    tree.forget();
    tree.open = true;
    touch(tree);
  }

  void close(GatewayOp.CloseTree op) throws Exception {
    close(trees.get(op.tree()), op.gateway());
  }

  void closeAll() throws Exception {
    for (Tree tree : trees) {
      close(tree, 0);
    }
  }

  private void close(Tree tree, int gateway) throws Exception {
    HttpResponse<String> closed =
        client.request(gateway, "POST", "/close_session", Map.of("session_id", tree.name));
    assertThat(closed.statusCode()).as(closed.body()).isEqualTo(200);
    tree.forget();
  }

  void grow(GatewayOp.Grow op) throws Exception {
    Tree tree = trees.get(op.tree());
    List<Node> all = new ArrayList<>(tree.turns);
    all.addAll(tree.before);
    Node base = op.at() == 0 || all.isEmpty() ? null : all.get(op.at() % all.size());
    if (base != null && base.whole.size() > LONG) {
      base = null;
    }
    Map<String, Object> body = body(op, tree, base);
    Reply reply = client.send(op.gateway(), "/v1/completions", body);
    if (!isThere(tree)) {
      assertThat(reply.status()).as("%s", reply).isEqualTo(400);
      assertThat(reply.toString()).contains("does not exist");
      see.accept("tree refused");
      return;
    }
    touch(tree);
    if (!reply.isAnswer()) {
      lost(tree, base, reply);
      return;
    }
    List<Integer> prompt = new ArrayList<>(base == null ? List.of() : kept(op, base));
    prompt.addAll(fresh(op.salt()));
    assertThat(TestFleet.ids(reply.prompt())).as("8: %s", reply).isEqualTo(prompt);
    client.expectStateless(op.gateway(), body, reply);
    List<Integer> whole = TestFleet.ids(reply.prompt(), reply.completion());
    found(tree, base);
    if (op.replaces()) {
      Node from = base;
      tree.turns.removeIf(turn -> from == null || turn.isBelow(from));
      if (from == null) {
        tree.before.clear();
      }
      see.accept("tree replaced");
    }
    tree.turns.add(new Node(reply.body().path("id").asString(), base, prompt, whole));
    see.accept("tree " + reply.mode());
  }

  /** A turn was answered: what it goes on from is there, and with it all of that life. */
  private static void found(Tree tree, @Nullable Node base) {
    if (base != null && tree.before.contains(base)) {
      tree.turns.addAll(tree.before); // it was one life all along
      tree.before.clear();
    } else if (base == null && tree.doubtful) {
      tree.before.clear();
      tree.before.addAll(tree.turns);
      tree.turns.clear();
    }
    tree.doubtful = false;
  }

  /** A turn was refused: what it goes on from must have been lost. */
  private void lost(Tree tree, @Nullable Node base, Reply reply) {
    boolean old = base != null && tree.before.contains(base);
    if (reply.status() == 400) {
      assertThat(old).as("%s is there, but: %s", base, reply).isTrue();
      assertThat(reply.toString()).contains("Invalid request session id");
      tree.before.clear();
      see.accept("turns lost");
    } else {
      assertThat(base != null && tree.doubtful).as("%s is there, but: %s", base, reply).isTrue();
      assertThat(reply.code()).as("%s", reply).isEqualTo("context_lost");
      see.accept("tree lost");
    }
  }

  private static Map<String, Object> body(GatewayOp.Grow op, Tree tree, @Nullable Node base) {
    Map<String, Object> params = new LinkedHashMap<>(Map.of("id", tree.name));
    if (base != null) {
      params.put("rid", base.rid);
      params.put("drop_previous_output", op.drops());
      params.put("offset", op.offset());
    }
    params.put("replace", op.replaces());
    Map<String, Object> body = new LinkedHashMap<>();
    body.put("model", TestGateway.MODEL);
    body.put("prompt", fresh(op.salt()));
    body.put("max_tokens", 1 + op.salt() % 12);
    body.put("temperature", 0.8);
    body.put("seed", op.salt());
    body.put("session_params", params);
    body.put("nvext", Map.of("extra_fields", GatewayClient.IDS));
    return body;
  }

  /** Returns what of a turn is gone on from. */
  private static List<Integer> kept(GatewayOp.Grow op, Node base) {
    List<Integer> all = op.drops() ? base.prompt : base.whole;
    int offset = op.offset();
    int size = all.size();
    return offset == 0
        ? all
        : all.subList(0, offset > 0 ? Math.min(offset, size) : Math.max(0, size + offset));
  }

  private static List<Integer> fresh(int salt) {
    return new Random(salt).ints(1 + salt % 40, 0, 256).boxed().toList();
  }

  private boolean isThere(Tree tree) {
    return tree.open && clock.nanos() < tree.deadline;
  }

  private void touch(Tree tree) {
    tree.deadline = clock.nanos() + TIMEOUT.toNanos();
  }
}
