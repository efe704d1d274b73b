package dev.sojourn.acceptance.sessions;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.acceptance.sessions.GatewayOp.Way;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.ManualClock;
import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionView;
import dev.sojourn.core.Tenant;
import dev.sojourn.engine.Engine;
import dev.sojourn.router.BindingView;
import dev.sojourn.router.Router;
import dev.sojourn.router.RouterStats;
import dev.sojourn.router.lifecycle.LifecycleStats;
import dev.sojourn.server.GatedRunner;
import dev.sojourn.server.TestFleet;
import dev.sojourn.server.http.RawClient;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import java.util.stream.IntStream;
import tools.jackson.databind.json.JsonMapper;

/**
 * Two gateways over one store of bindings and two ranks, and their clients, over HTTP and in
 * virtual time. Each client keeps beside its session the conversation as it believes it to be:
 *
 * <ul>
 *   <li>the prompt of each of its turns spells what a stateless request of that whole conversation
 *       renders;
 *   <li>each answer is, id by id, that of a stateless request over the prompt's ids;
 *   <li>a session goes on wherever somebody still has what it said, and says so where not.
 * </ul>
 *
 * <p>One turn runs at a time, but for operations that are about what happens beside one. All
 * operations are here, as each needs, and changes, what the clients believe.
 */
final class GatewayWorld implements Play.Stage<GatewayOp> {

  /** Writes something behind what was said last, so each turn renders earlier ones anew. */
  private static final String REMINDING =
      """
      {% for m in messages %}<|im_start|>{{ m.role }}
      {{ m.content }}{% if loop.last %} (Answer!){% endif %}<|im_end|>
      {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
      {% endif %}\
      """;

  /** Calls as the template writes them, and one as it does not. */
  private static final List<String> CALLS =
      List.of(
          "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>",
          "Well.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>",
          "<tool_call>\n{\"name\":\"f\",\"arguments\":{\"a\":1}}\n</tool_call>");

  private static final Duration TIMEOUT = Duration.ofMinutes(5);
  private static final int LONG = 330; // tokens, of 512: then a client begins anew

  private final ManualClock clock = new ManualClock();
  private final TestFleet fleet;
  private final GatewayClient client;
  private final List<Agent> agents =
      IntStream.range(0, 4).mapToObj(i -> new Agent("s" + i)).toList();
  private final boolean[] live = {true, true};
  private final boolean[] drained = new boolean[2];

  /** Whether the template writes from left to right. */
  private final boolean local;

  private final GatewayTrees trees;
  private final Map<String, Integer> seen = new HashMap<>();

  GatewayWorld(Path dir, long seed) throws Exception {
    Random random = new Random(seed);
    local = seed % 3 != 2;
    fleet =
        new TestFleet(
            dir,
            2,
            keeper -> keeper,
            clock,
            34 + random.nextInt(60),
            local ? Optional.empty() : Optional.of(REMINDING));
    client = new GatewayClient(fleet);
    trees = new GatewayTrees(client, clock, this::see);
  }

  @Override
  public Map<String, Integer> seen() {
    return seen;
  }

  @Override
  public void apply(GatewayOp op) throws Exception {
    see("op " + op.getClass().getSimpleName());
    switch (op) {
      case GatewayOp.Turn turn -> turn(turn);
      case GatewayOp.Regenerate again -> {
        Agent agent = agents.get(again.name());
        if (!agent.said.isEmpty()) {
          List<Map<String, ?>> asked = agent.said.subList(0, agent.said.size() - 1);
          full(agent, again.gateway(), asked, again.most(), again.salt());
        }
      }
      case GatewayOp.Edit edit -> edit(edit);
      case GatewayOp.Side side -> side(side);
      case GatewayOp.Call call -> call(call);
      case GatewayOp.Sampled sampled -> sampled(sampled);
      case GatewayOp.Instruct instruct -> instruct(instruct);
      case GatewayOp.Compact compact -> compact(compact);
      case GatewayOp.OpenTree open -> trees.open(open);
      case GatewayOp.Grow grow -> trees.grow(grow);
      case GatewayOp.CloseTree close -> trees.close(close);
      case GatewayOp.LoseTree tree -> {
        var _ = lose(GatewayTrees.id(tree.tree()));
        trees.mayBeLost();
      }
      case GatewayOp.Repeat repeat -> repeat(agents.get(repeat.name()));
      case GatewayOp.Fork fork -> fork(fork);
      case GatewayOp.HangUp hangUp -> hangUp(hangUp);
      case GatewayOp.Overlap overlap -> overlap(overlap);
      case GatewayOp.Close close ->
          close(agents.get(close.name()), close.gateway(), close.retain() ? "retain" : "free");
      case GatewayOp.Extend extend -> extend(extend);
      case GatewayOp.Lose lose -> {
        Agent agent = agents.get(lose.name());
        agent.lost |= lose(id(agent));
      }
      case GatewayOp.Forget forget -> {
        Agent agent = agents.get(forget.name());
        binding(agent)
            .ifPresent(
                b -> fleet.transcripts.get(forget.gateway()).remove(b.id(), b.incarnation()));
        agent.known.remove(forget.gateway());
        agent.whole.remove(forget.gateway());
        agent.following.add(forget.gateway());
        agent.last = null;
      }
      case GatewayOp.Time time -> pass(Duration.ofSeconds(time.seconds()));
      case GatewayOp.Leave leave -> leaveOrJoin(leave.rank());
      case GatewayOp.Drain drain -> {
        if (live[1 - drain.rank()] && !drained[1 - drain.rank()] && live[drain.rank()]) {
          drained[drain.rank()] = true;
          fleet.routers.forEach(router -> router.drainWorker(fleet.rank(drain.rank()).worker()));
          agents.forEach(agent -> agent.lost = true); // they move with what a gateway knows
        }
      }
      case GatewayOp.Plain plain -> {
        Map<String, Object> body =
            GatewayClient.body(
                List.of(GatewayClient.user("w ".repeat(plain.words()))), 6, plain.salt());
        body.put("nvext", Map.of("extra_fields", GatewayClient.IDS));
        Reply reply = client.send(plain.gateway(), body);
        assertThat(reply.status()).as("%s", reply).isEqualTo(200);
        client.expectStateless(plain.gateway(), body, reply);
      }
    }
    check();
  }

  @Override
  public void end() throws Exception {
    for (int rank = 0; rank < 2; rank++) {
      if (!live[rank] || drained[rank]) {
        leaveOrJoin(rank);
      }
      if (!live[rank]) {
        leaveOrJoin(rank);
      }
    }
    for (Agent agent : agents) {
      close(agent, 0, "free");
    }
    trees.closeAll();
    for (int i = 0; i < 20; i++) {
      pass(Duration.ofSeconds(60));
    }
    fleet.expectNothingHeld();
    for (Engine engine : fleet.engines) {
      engine.check().join();
      var stats = engine.stats();
      assertThat(stats.sessions() + stats.running() + stats.waiting()).as("7: held").isZero();
      assertThat(stats.free() + stats.cached()).as("7: pages").isEqualTo(stats.capacity());
      see("evicted", (int) stats.evictedPages());
    }
    for (Router router : fleet.routers) {
      see("expired", (int) router.stats().expired());
      see("moved", (int) router.stats().moved());
      see("broken", (int) router.stats().broken());
    }
  }

  @Override
  public void close() {
    fleet.runners.forEach(GatedRunner::release);
    client.close();
    fleet.close();
  }

  private void turn(GatewayOp.Turn op) throws Exception {
    Agent agent = agents.get(op.name());
    if (agent.length > LONG) {
      close(agent, op.gateway(), "free");
    }
    Action action = op.action();
    if (isThere(agent) && action != Action.CLOSE && !action.equals(agent.opener)) {
      action = Action.CONTINUE; // else it is refused: it was opened with other settings
    }
    Said said =
        new Said(
            agent,
            op.gateway(),
            action,
            op.way(),
            List.of(GatewayClient.user(GatewayClient.text(op.salt()))),
            Map.of());
    var _ =
        goOn(
            said,
            messages -> {
              Map<String, Object> body = GatewayClient.body(messages, op.most(), op.salt());
              body.put("stream", op.streams());
              return body;
            });
  }

  /**
   * What a client says next.
   *
   * @param terms what {@code session_control} says besides
   */
  private record Said(
      Agent agent,
      int gateway,
      Action action,
      Way way,
      List<Map<String, ?>> messages,
      Map<String, ?> terms) {

    List<Map<String, ?>> all() {
      List<Map<String, ?>> all = new ArrayList<>(agent.said);
      all.addAll(messages);
      return List.copyOf(all);
    }

    Map<String, ?> and(Map<String, ?> more) {
      Map<String, Object> all = new LinkedHashMap<>(terms);
      all.putAll(more);
      return all;
    }
  }

  /** Says more of a conversation; where a delta is refused, with all that came before. */
  private Reply goOn(Said said, Function<List<Map<String, ?>>, Map<String, Object>> asked)
      throws Exception {
    Agent agent = said.agent();
    int gateway = said.gateway();
    boolean binds = said.action() == Action.BIND || (isThere(agent) && agent.bound);
    if (said.way() != Way.FULL && !binds && !agent.isCut(gateway)) {
      boolean begins = !isThere(agent) && said.action() == Action.OPEN;
      boolean expects = said.way() == Way.EXPECTING && isThere(agent);
      if (begins) {
        agent.forget(); // whatever it said before it expired
      }
      if (expects && agent.tip % 4 == 0) {
        expectWrongTipRefused(said, asked.apply(said.messages()));
      }
      Map<String, Object> body = asked.apply(said.messages());
      GatewayClient.control(body, agent, said.action(), said.and(delta(agent, expects)));
      Reply reply = client.send(gateway, body);
      if (reply.isAnswer()) {
        assertThat(isThere(agent) || begins).as("a delta goes on from something").isTrue();
        answered(agent, gateway, body, said.all(), reply, said.action());
        return reply;
      }
      refused(agent, gateway, reply);
    }
    List<Map<String, ?>> all = said.all();
    Map<String, Object> body = asked.apply(all);
    GatewayClient.control(body, agent, said.action(), said.terms());
    Reply reply = client.send(gateway, body);
    boolean other = !GatewayClient.tools(body).equals(agent.tools);
    boolean follows = !agent.lost || agent.following.contains(gateway);
    boolean told = (local && !other && follows) || knowsAll(agent, gateway);
    if (isThere(agent) && !agent.said.isEmpty() && !binds && told) {
      assertThat(reply.mode()).as("of what goes on: %s", reply).isNotEqualTo("aside");
    }
    answered(agent, gateway, body, all, reply, said.action());
    return reply;
  }

  /** Returns whether a gateway could write all that was said in another way. */
  private static boolean knowsAll(Agent agent, int gateway) {
    return agent.known.contains(gateway) && agent.whole.contains(gateway);
  }

  /** Has a tool called, and brings its result. */
  private void call(GatewayOp.Call op) throws Exception {
    Agent agent = agents.get(op.name());
    if (!local || agent.length > LONG / 2) {
      return; // the other template has no tools
    }
    List<Map<String, ?>> tools = GatewayClient.tools(op.tools());
    boolean other = !tools.equals(agent.tools);
    Way way = other && !knowsAll(agent, op.gateway()) ? Way.FULL : op.way();
    List<Map<String, ?>> asked = List.of(GatewayClient.user(GatewayClient.text(op.salt())));
    client.speech = CALLS.get(op.spelled());
    Reply reply;
    try {
      reply =
          goOn(
              new Said(agent, op.gateway(), Action.CONTINUE, way, asked, Map.of()),
              messages -> {
                Map<String, Object> body = GatewayClient.body(messages, 100, op.salt());
                body.remove("stop");
                body.put("tools", tools);
                return body;
              });
    } finally {
      client.speech = "";
      fleet.say(""); // one of the ranks may not have been asked
    }
    assertThat(reply.finish()).as("%s", reply).isEqualTo("tool_calls");
    if (agent.said.isEmpty() || !agent.said.getLast().equals(reply.message())) {
      return; // aside
    }
    agent.cut = op.spelled() == 2;
    see("called");
    Map<String, ?> result =
        Map.of(
            "role",
            "tool",
            "tool_call_id",
            reply.calls().path(0).path("id").asString(),
            "content",
            GatewayClient.text(op.salt() + 1));
    var _ =
        goOn(
            new Said(agent, op.other(), Action.CONTINUE, op.way(), List.of(result), Map.of()),
            messages -> GatewayClient.body(messages, 8, op.salt() + 1));
  }

  private void sampled(GatewayOp.Sampled op) throws Exception {
    Agent agent = agents.get(op.name());
    if (agent.length > LONG) {
      return;
    }
    List<Map<String, ?>> asked = List.of(GatewayClient.user(GatewayClient.text(op.salt())));
    Map<String, ?> terms = Map.of("history", "as_sampled");
    Reply reply =
        goOn(
            new Said(agent, op.gateway(), Action.CONTINUE, op.way(), asked, terms),
            messages -> GatewayClient.body(messages, 8, op.salt()));
    see("history " + reply.session().path("history").asString("untold"));
  }

  private void instruct(GatewayOp.Instruct op) throws Exception {
    Agent agent = agents.get(op.name());
    if (agent.length > LONG) {
      return;
    }
    boolean instructed =
        !agent.said.isEmpty() && "system".equals(agent.said.getFirst().get("role"));
    List<Map<String, ?>> all = new ArrayList<>();
    all.add(Map.of("role", "system", "content", GatewayClient.text(op.salt())));
    all.addAll(agent.said.subList(instructed ? 1 : 0, agent.said.size()));
    all.add(GatewayClient.user(GatewayClient.text(op.salt() + 1)));
    Reply reply = full(agent, op.gateway(), List.copyOf(all), 8, op.salt());
    if (!reply.mode().equals("aside") || !op.goesOn()) {
      return;
    }
    all.add(reply.message());
    all.add(GatewayClient.user(GatewayClient.text(op.salt() + 2)));
    boolean knows = agent.known.contains(op.gateway()) && isThere(agent);
    goOnFromAside(agent, op.gateway(), all, op.salt(), knows, "instructed anew");
  }

  /** Goes on from an answer that was given aside, which whoever knows the session lets it do. */
  private void goOnFromAside(
      Agent agent, int gateway, List<Map<String, ?>> all, int salt, boolean knows, String what)
      throws Exception {
    Reply next = full(agent, gateway, List.copyOf(all), 8, salt);
    if (knows && !agent.said.isEmpty()) {
      assertThat(next.mode()).as("%s: %s", what, next).isNotEqualTo("aside");
      see(what);
    }
  }

  private void compact(GatewayOp.Compact op) throws Exception {
    Agent agent = agents.get(op.name());
    List<Map<String, ?>> all =
        new ArrayList<>(
            agent.said.stream().filter(message -> "system".equals(message.get("role"))).toList());
    all.add(GatewayClient.user("So far: " + GatewayClient.text(op.salt())));
    Reply reply = full(agent, op.gateway(), List.copyOf(all), 8, op.salt());
    if (!reply.mode().equals("aside")) {
      return;
    }
    all.add(reply.message());
    all.add(GatewayClient.user(GatewayClient.text(op.salt() + 1)));
    boolean knows = isThere(agent) && knowsAll(agent, op.gateway()) && agent.tools.isEmpty();
    knows &= !agent.speaksDeltas;
    goOnFromAside(agent, op.gateway(), all, op.salt(), knows, "compacted");
  }

  /** Asks for a title, which no session takes for its conversation. */
  private void side(GatewayOp.Side op) throws Exception {
    Agent agent = agents.get(op.name());
    boolean held = isThere(agent) && !agent.bound && !agent.said.isEmpty();
    boolean known =
        agent.known.contains(op.gateway()) || !(agent.lost || agent.rewound); // else nobody has it
    List<Map<String, ?>> asked =
        List.of(GatewayClient.user("Title: " + GatewayClient.text(op.salt())));
    Reply reply = full(agent, op.gateway(), asked, 5, op.salt());
    if (held && known) {
      assertThat(reply.mode()).as("a title: %s", reply).isIn("aside", "none");
    }
  }

  /** Returns what a delta says of itself. */
  private Map<String, ?> delta(Agent agent, boolean expects) {
    return expects && isThere(agent)
        ? Map.of("input", "delta", "expected_tip", agent.tip, "expected_digest", agent.digest)
        : Map.of("input", "delta");
  }

  /** Sends a delta of a client that takes the session to be where it is not. */
  private void expectWrongTipRefused(Said said, Map<String, Object> body) throws Exception {
    Agent agent = said.agent();
    Map<String, Object> delta = new LinkedHashMap<>(delta(agent, true));
    delta.put("expected_tip", agent.tip - 1);
    GatewayClient.control(body, agent, said.action(), said.and(delta));
    Reply reply = client.send(said.gateway(), body);
    assertThat(reply.isAnswer()).as("over another tip: %s", reply).isFalse();
    assertThat(reply.code())
        .as("%s", reply)
        .isIn("session_not_found", "context_lost", "tip_mismatch");
    see("refused " + reply.code());
  }

  /** A delta was refused: nobody may have what comes before it. */
  private void refused(Agent agent, int gateway, Reply reply) {
    assertThat(reply.code())
        .as("%s", reply)
        .isIn("session_not_found", "context_lost", "tip_mismatch");
    boolean follows = agent.following.contains(gateway) && !agent.lost && !agent.rewound;
    boolean told = agent.known.contains(gateway) || (local && follows);
    told &= !agent.isUnseen(gateway);
    assertThat(isThere(agent) && told && !agent.said.isEmpty())
        .as("%s is known at gateway %s, but: %s", agent.name, gateway, reply)
        .isFalse();
    see("refused " + reply.code());
  }

  /** Sends a whole conversation, which is always answered. */
  private Reply full(Agent agent, int gateway, List<Map<String, ?>> messages, int most, int salt)
      throws Exception {
    Map<String, Object> body = GatewayClient.body(messages, most, salt);
    GatewayClient.control(body, agent, Action.CONTINUE, Map.of());
    Reply reply = client.send(gateway, body);
    answered(agent, gateway, body, messages, reply, Action.CONTINUE);
    return reply;
  }

  /** Checks an answer, and takes it into the conversation if the session did. */
  private void answered(
      Agent agent,
      int gateway,
      Map<String, ?> body,
      List<Map<String, ?>> conversation,
      Reply reply,
      Action action)
      throws Exception {
    assertThat(reply.status()).as("%s", reply).isEqualTo(200);
    assertThat(reply.session().path("repeated").asBoolean(false)).as("%s", reply).isFalse();
    see("mode " + reply.mode());
    // A delta that names no tools has those before it.
    List<Map<String, ?>> tools =
        isDelta(body) && !body.containsKey("tools") ? agent.tools : GatewayClient.tools(body);
    String rendered = fleet.spelled(client.rendered(conversation, tools));
    boolean sampled = isSampled(agent, gateway, reply, rendered);
    client.expectStateless(gateway, body, reply);
    boolean was = isThere(agent);
    boolean binds = action == Action.BIND || (was && agent.bound);
    if (action == Action.CLOSE) {
      agent.forget();
      return;
    }
    touch(agent);
    if (reply.mode().equals("aside") || (reply.mode().equals("none") && !binds)) {
      agent.open |= !reply.session().has("reason");
      return;
    }
    boolean delta = reply.session().has("digest") && isDelta(body);
    agent.last = delta ? new Agent.Delta(gateway, body, reply) : null;
    agent.said = conversation;
    agent.said = agent.saidAnd(reply.message());
    agent.tools = tools;
    agent.speaksDeltas = isDelta(body);
    agent.sampled = sampled;
    agent.context = TestFleet.ids(reply.prompt(), reply.completion());
    agent.length = agent.context.size();
    agent.cut =
        reply.calls().isEmpty()
            && !fleet.spelled(reply.completion()).replace("<|im_end|>", "").equals(reply.content());
    if (!was) {
      agent.opener = binds ? Action.BIND : Action.OPEN;
    }
    agent.open = true;
    agent.bound = binds;
    agent.lost = false;
    agent.taken(gateway, agent.rewound ? "rewind" : reply.mode(), isDelta(body));
    agent.rewound = false;
    agent.asSampled = reply.session().path("history").asString("").equals("as_sampled");
    if (!binds) {
      int held = reply.session().path("held_tokens").asInt();
      assertThat(held).as("held: %s", reply).isEqualTo(agent.length);
      agent.tip = held;
      agent.digest = reply.session().path("digest").asString();
    }
    reply.session().path("losses").forEach(loss -> see("lost: " + loss.path("cause").asString()));
  }

  /**
   * Checks a prompt, which spells what a stateless request renders; unless it has earlier answers
   * as they were sampled: then only what is behind them is so.
   */
  private boolean isSampled(Agent agent, int gateway, Reply reply, String rendered) {
    String spelled = fleet.spelled(reply.prompt());
    boolean asked = reply.session().path("history").asString("").equals("as_sampled");
    if (spelled.equals(rendered) || !(asked || agent.sampled)) {
      assertThat(spelled).as("8: the prompt of %s", reply).isEqualTo(rendered);
      return false;
    }
    List<Integer> ids = TestFleet.ids(reply.prompt());
    String behind = spelled.substring(spelled.lastIndexOf("<|im_start|>user"));
    if (agent.known.contains(gateway)) {
      assertThat(ids).as("8: %s", reply).startsWith(agent.context.toArray(Integer[]::new));
      behind = fleet.spelled(ids.subList(agent.context.size(), ids.size()));
    }
    assertThat(rendered).as("8: the prompt of %s", reply).endsWith(behind);
    return true;
  }

  private static boolean isDelta(Map<String, ?> body) {
    return body.get("nvext") instanceof Map<?, ?> nvext
        && nvext.get("session_control") instanceof Map<?, ?> control
        && "delta".equals(control.get("input"));
  }

  private void edit(GatewayOp.Edit op) throws Exception {
    Agent agent = agents.get(op.name());
    if (agent.said.isEmpty()) {
      return;
    }
    int[] asked =
        IntStream.range(0, agent.said.size())
            .filter(i -> "user".equals(agent.said.get(i).get("role")))
            .toArray();
    int at = asked[op.at() / 2 % asked.length];
    List<Map<String, ?>> edited = new ArrayList<>(agent.said.subList(0, at));
    edited.add(GatewayClient.user(GatewayClient.text(op.salt())));
    full(agent, op.gateway(), List.copyOf(edited), 8, op.salt());
  }

  private void repeat(Agent agent) throws Exception {
    Agent.Delta last = agent.last;
    if (last == null || !isThere(agent) || !isExpecting(last.body())) {
      return;
    }
    Reply again = client.send(last.gateway(), last.body());
    assertThat(again.status()).as("%s", again).isEqualTo(200);
    assertThat(again.session().path("repeated").asBoolean(false)).as("%s", again).isTrue();
    assertThat(again.completion()).isEqualTo(last.reply().completion());
    assertThat(again.prompt()).isEqualTo(last.reply().prompt());
    assertThat(again.content()).isEqualTo(last.reply().content());
    assertThat(again.finish()).isEqualTo(last.reply().finish());
    touch(agent);
    see("repeated");
  }

  private static boolean isExpecting(Map<String, ?> body) {
    return body.get("nvext") instanceof Map<?, ?> nvext
        && nvext.get("session_control") instanceof Map<?, ?> control
        && control.containsKey("expected_tip");
  }

  private void fork(GatewayOp.Fork op) throws Exception {
    Agent child = agents.get(op.name());
    Agent parent = agents.get(op.parent());
    boolean told = parent.known.contains(op.gateway()) || (local && !parent.lost);
    told &= !(op.turn() && op.way() != Way.FULL && parent.isUnseen(op.gateway()));
    boolean lives = isThere(parent) && !parent.bound && !parent.said.isEmpty();
    if (child == parent
        || !lives
        || !told
        || parent.isCut(op.gateway())
        || parent.rewound
        || parent.length > LONG) {
      return;
    }
    close(child, op.gateway(), "free");
    if (!op.turn()) {
      HttpResponse<String> forked =
          client.request(
              op.gateway(),
              "POST",
              "/v1/sessions/" + parent.name + "/fork",
              Map.of("session_id", child.name));
      assertThat(forked.statusCode()).as(forked.body()).isEqualTo(201);
      child.said = parent.said;
      child.takeOver(parent);
      child.open = true;
      child.cut = parent.cut;
      child.length = parent.length;
      child.tip = parent.tip;
      child.digest = parent.digest;
      child.taken(op.gateway(), "fork", true);
      child.lost = true; // where it is not on its parent's rank, it is empty till its first turn
      touch(child);
      return;
    }
    Map<String, ?> asked = GatewayClient.user(GatewayClient.text(op.salt()));
    boolean delta = op.way() != Way.FULL;
    Map<String, Object> body =
        GatewayClient.body(delta ? List.of(asked) : parent.saidAnd(asked), 8, op.salt());
    child.takeOver(parent);
    Map<String, Object> terms = new LinkedHashMap<>();
    terms.put("parent", parent.name);
    if (delta) {
      terms.put("input", "delta");
    }
    GatewayClient.control(body, child, Action.OPEN, terms);
    Reply reply = client.send(op.gateway(), body);
    answered(child, op.gateway(), body, parent.saidAnd(asked), reply, Action.OPEN);
    child.last = null;
    child.opener = null;
  }

  private void hangUp(GatewayOp.HangUp op) throws Exception {
    Agent agent = agents.get(op.name());
    boolean there = isThere(agent);
    boolean full =
        op.way() == Way.FULL
            || !there
            || agent.bound
            || agent.said.isEmpty()
            || agent.isCut(op.gateway());
    boolean again = full && op.regenerates() && !agent.said.isEmpty();
    Map<String, ?> asked = GatewayClient.user(GatewayClient.text(op.salt()));
    List<Map<String, ?>> messages =
        !full
            ? List.of(asked)
            : again ? agent.said.subList(0, agent.said.size() - 1) : agent.saidAnd(asked);
    if (agent.length > LONG) {
      return;
    }
    Map<String, Object> body = GatewayClient.body(messages, 100, op.salt());
    body.put("ignore_eos", true);
    body.remove("stop"); // so that it goes on until it is given up
    body.put("stream", op.salt() % 2 == 0);
    GatewayClient.control(
        body, agent, Action.CONTINUE, full ? Map.of() : delta(agent, op.way() == Way.EXPECTING));
    Router router = fleet.routers.get(op.gateway());
    fleet.runners.forEach(GatedRunner::hold);
    long ended = ended(router);
    try (RawClient raw = new RawClient(fleet.address(op.gateway()))) {
      raw.post(GatewayClient.CHAT, JsonMapper.shared().writeValueAsString(body));
      for (int step = 0; step <= op.steps() && ended(router) == ended; step++) {
        await(() -> isStepping() || ended(router) > ended, "a step");
        if (step < op.steps()) {
          fleet.runners.forEach(GatedRunner::step);
        }
      }
      fleet.runners.forEach(GatedRunner::holdUntilAsked); // its cancel, before it is over
    }
    await(() -> ended(router) > ended && quiet(router), "the end of a turn given up");
    fleet.runners.forEach(GatedRunner::release);
    see("hung up");
    agent.last = null;
    if (!there || agent.said.isEmpty() || agent.bound) {
      close(agent, op.gateway(), "free"); // it may have been opened
      return;
    }
    touch(agent);
    agent.rewound |= again || !local;
    if (agent.lost) {
      agent.rewound |= !full && !agent.known.contains(op.gateway());
      agent.movedBy(op.gateway());
    }
    agent.lost |= again || full;
    view(agent)
        .ifPresent(view ->
            assertThat(view.committed())
                .as("3: of a turn given up")
                .isLessThanOrEqualTo(agent.tip));
  }

  private static long ended(Router router) {
    RouterStats stats = router.stats();
    return stats.completed() + stats.refused() + stats.failed() + stats.aborted();
  }

  private static boolean quiet(Router router) {
    RouterStats stats = router.stats();
    return stats.leasesTaken() == stats.leasesReturned()
        && stats.bookings() == stats.bookingsReleased()
        && stats.waiting() == 0;
  }

  private boolean isStepping() {
    boolean stepping = false;
    for (GatedRunner runner : fleet.runners) {
      stepping |= runner.isStepping();
    }
    return stepping;
  }

  private void overlap(GatewayOp.Overlap op) throws Exception {
    Agent agent = agents.get(op.name());
    if (agent.lost && op.other() != op.gateway()) {
      return; // no engine puts in order what two gateways begin anew at once
    }
    if (!isThere(agent) || agent.said.isEmpty() || agent.bound || agent.length > LONG) {
      return;
    }
    Map<String, ?> asked = GatewayClient.user(GatewayClient.text(op.salt()));
    boolean delta =
        op.way() != Way.FULL && agent.known.contains(op.gateway()) && !agent.isUnseen(op.gateway());
    Map<String, Object> first =
        GatewayClient.body(delta ? List.of(asked) : agent.saidAnd(asked), 8, op.salt());
    first.remove("stop"); // what it cuts off, another gateway would not know
    GatewayClient.control(first, agent, Action.CONTINUE, delta ? delta(agent, false) : Map.of());
    Map<String, ?> more = GatewayClient.user("And " + GatewayClient.text(op.salt() + 1));
    Map<String, Object> second = GatewayClient.body(List.of(more), 8, op.salt() + 1);
    GatewayClient.control(second, agent, Action.CONTINUE, Map.of("input", "delta"));
    Router behind = fleet.routers.get(op.other());
    fleet.runners.forEach(GatedRunner::hold);
    CompletableFuture<HttpResponse<String>> one = client.sendAsync(op.gateway(), first);
    await(() -> isStepping() || one.isDone(), "a step of the first");
    long taken = behind.stats().leasesTaken();
    CompletableFuture<HttpResponse<String>> two = client.sendAsync(op.other(), second);
    await(
        () -> behind.stats().waiting() > 0 || behind.stats().leasesTaken() > taken || two.isDone(),
        "the second");
    fleet.runners.forEach(GatedRunner::release);
    answered(
        agent, op.gateway(), first, agent.saidAnd(asked), Reply.of(one.get()), Action.CONTINUE);
    Reply reply = Reply.of(two.get());
    if (reply.isAnswer()) {
      answered(agent, op.other(), second, agent.saidAnd(more), reply, Action.CONTINUE);
      see("overlapped");
    } else {
      boolean known = local || agent.known.contains(op.other());
      assertThat(op.other() == op.gateway() && known).as("%s", reply).isFalse();
      assertThat(reply.code()).as("%s", reply).isIn("session_busy", "tip_mismatch", "context_lost");
      see("overlap refused " + reply.code());
    }
  }

  private void close(Agent agent, int gateway, String how) throws Exception {
    HttpResponse<String> closed =
        client.request(
            gateway,
            "DELETE",
            "/v1/sessions/" + agent.name + "?wait=true&on_close=" + how,
            Map.of());
    if (isThere(agent)) {
      assertThat(closed.statusCode()).as(closed.body()).isEqualTo(200);
      see("closed");
    } else {
      assertThat(closed.statusCode()).as(closed.body()).isIn(200, 404);
    }
    agent.forget();
  }

  private void extend(GatewayOp.Extend op) {
    Agent agent = agents.get(op.name());
    Duration idle = Duration.ofSeconds(op.seconds());
    boolean there = fleet.routers.get(op.gateway()).extend(id(agent), idle).isPresent();
    assertThat(there).as("extended").isEqualTo(isThere(agent));
    if (there) {
      agent.deadline = clock.nanos() + idle.toNanos();
      see("extended");
    }
  }

  /** Lets an engine lose a session; returns whether there was one. */
  private boolean lose(SessionId id) throws InterruptedException, ExecutionException {
    Optional<BindingView> binding = fleet.routers.getFirst().binding(id);
    for (Engine engine : fleet.engines) {
      if (binding.isPresent()) {
        engine.close(id, binding.get().incarnation(), OnClose.FREE).get();
      }
    }
    return binding.isPresent();
  }

  private void pass(Duration by) {
    clock.advance(by);
    fleet.routers.forEach(Router::tick);
    fleet.engines.forEach(engine -> engine.check().join()); // and does what is due
  }

  private void leaveOrJoin(int rank) {
    int other = 1 - rank;
    if (!live[rank]) {
      live[rank] = true;
      drained[rank] = false;
      fleet.join(rank);
    } else if (live[other] && !drained[other]) {
      live[rank] = false;
      fleet.routers.forEach(router -> router.removeRank(fleet.rank(rank)));
      agents.forEach(agent -> agent.lost = true);
      trees.mayBeLost();
    }
  }

  private void check() {
    for (Engine engine : fleet.engines) {
      engine.check().join();
    }
    for (Router router : fleet.routers) {
      assertThat(quiet(router)).as("9: %s", router.stats()).isTrue();
    }
    ninth();
    for (Agent agent : agents) {
      if (!isThere(agent) || agent.bound || agent.lost || agent.rewound) {
        continue;
      }
      SessionView view = view(agent).orElseThrow(() -> new AssertionError("gone: " + agent.name));
      assertThat(view.committed()).as("3: %s", view).isEqualTo(agent.tip);
      assertThat(String.format(Locale.ROOT, "%016x", view.digest()))
          .as("3: %s", view)
          .isEqualTo(agent.digest);
    }
  }

  /** Both gateways open and close what is bound in one store. */
  private void ninth() {
    long opened = 0;
    long ended = 0;
    for (Router router : fleet.routers) {
      LifecycleStats lifecycle = router.stats().lifecycle();
      opened += lifecycle.opens() + lifecycle.learnt() + lifecycle.reaped();
      ended += lifecycle.acknowledged() + lifecycle.abandoned() + lifecycle.lost();
      ended += lifecycle.tombstones();
    }
    assertThat(opened - ended)
        .as("9: engine sessions that were opened and did not end")
        .isEqualTo(fleet.routers.getFirst().stats().engineBacked());
  }

  private Optional<SessionView> view(Agent agent) {
    Optional<Incarnation> life = binding(agent).map(BindingView::incarnation);
    return fleet.engines.stream()
        .flatMap(engine -> engine.sessions().stream())
        .filter(view -> Optional.of(view.incarnation()).equals(life))
        .findFirst();
  }

  private Optional<BindingView> binding(Agent agent) {
    return fleet.routers.getFirst().binding(id(agent));
  }

  private static SessionId id(Agent agent) {
    return new SessionId(Tenant.DEFAULT, agent.name);
  }

  private boolean isThere(Agent agent) {
    return agent.open && clock.nanos() < agent.deadline;
  }

  /** A turn of it has ended. */
  private void touch(Agent agent) {
    agent.deadline = clock.nanos() + TIMEOUT.toNanos();
  }

  /** Waits for what other threads are about to do. */
  private static void await(BooleanSupplier condition, String what) {
    long giveUp = System.nanoTime() + Duration.ofMinutes(5).toNanos(); // the machine may be busy
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as("waited for " + what).isLessThan(giveUp);
      Thread.onSpinWait();
    }
  }

  private void see(String what) {
    see(what, 1);
  }

  private void see(String what, int times) {
    if (times > 0) {
      seen.merge(requireNonNull(what), times, Integer::sum);
    }
  }
}
