package dev.sojourn.engine.kv;

import static dev.sojourn.core.BlockHasher.BLOCK;

import dev.sojourn.core.Fault;
import dev.sojourn.core.Tokens;
import dev.sojourn.core.TurnMode;
import dev.sojourn.engine.TreePlace;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The committed turns of a regular session. Each goes on from another, its base, or begins anew,
 * and is known by the id of its request; a turn that was dropped, or was not committed, is none.
 *
 * <pre>
 *   a ── b ── c        one branch
 *        └─── d ── e   another, with the pages of a and b
 * </pre>
 *
 * <p>A turn that goes on from the last one of a branch stays there, and what it cuts off its base
 * keeps as ids; any other forks. So a conversation that drops a sampled token with every turn, as
 * SGLang's clients do, is one branch, and no context is copied for it. Each branch has one turn at
 * a time; those of several run side by side.
 *
 * <p>Owned by the engine thread.
 */
public final class TurnTree {

  static final String BASE = "session_params.rid";

  private final PagePool pool;
  private final Publisher publisher;
  private final Map<String, TreeNode> nodes = new HashMap<>();
  private final Map<String, Growth> growing = new HashMap<>();
  private final Set<Branch> branches = new LinkedHashSet<>();
  private final TreeLimits limits;
  private int turns;
  private int committed; // tokens of the turns, those that they share counted once
  private long cutOff; // ids of the turns' tails

  /** Creates an empty tree. */
  TurnTree(PagePool pool, Publisher publisher) {
    this.pool = pool;
    this.publisher = publisher;
    limits = TreeLimits.of(pool);
  }

  /**
   * Finds out where a turn goes on. Nothing changes yet.
   *
   * @param id the turn's, which no other of the tree has
   * @param input the ids that follow those it goes on from
   * @throws dev.sojourn.core.FaultException with SGLang's words, if there is no such place; or if
   *     there is no room for the turn
   */
  public Growth plan(String id, TreePlace place, Tokens input, long namespace) {
    if (nodes.containsKey(id)) {
      throw Fault.invalid("request_id", "request " + id + " is a turn of the session already")
          .asException();
    }
    TreeNode base = place.base().map(rid -> find(rid, place.replace())).orElse(null);
    if (base != null && !base.branch.accepts(namespace)) {
      throw Fault.invalid("cache_salt", "the turn was begun with another cache salt").asException();
    }
    Set<TreeNode> dropped = place.replace() ? below(base) : Set.of();
    int length = base == null ? 0 : place.cut(base.promptEnd, base.length());
    int common = base == null ? 0 : Math.min(length, base.shared());
    boolean stays =
        base != null
            && base.branch.owner() == null
            && common >= base.floor()
            && (place.replace() || base.isLast());
    boolean cuts = base != null && stays && common < base.branch.committed();
    boolean rewinds = cuts || !dropped.isEmpty();
    TurnMode mode =
        rewinds
            ? TurnMode.REWIND
            : base == null ? TurnMode.OPENED : stays ? TurnMode.APPEND : TurnMode.FORK;
    Tokens scratch = base == null ? input : base.tail().slice(0, length - common).concat(input);
    Growth growth = new Growth(id, base, place.replace(), !stays, length, common, scratch, mode);
    requireRoom(growth, dropped);
    return growth;
  }

  private TreeNode find(String id, boolean interrupts) {
    TreeNode node = nodes.get(id);
    if (node != null) {
      return node;
    }
    Growth running = growing.get(id);
    if (running == null) {
      throw Fault.invalid(BASE, "Invalid request session id").asException();
    }
    if (!interrupts) {
      throw Fault.invalid(BASE, "Session request is appending to a request that hasn't finished.")
          .asException();
    }
    return new TreeNode(running);
  }

  private Set<TreeNode> below(@Nullable TreeNode base) {
    if (base == null) {
      return new HashSet<>(nodes.values());
    }
    Set<TreeNode> found = new LinkedHashSet<>();
    List<TreeNode> open = new ArrayList<>(base.children);
    while (!open.isEmpty()) {
      TreeNode node = open.removeLast();
      found.add(node);
      open.addAll(node.children);
    }
    return found;
  }

  private void requireRoom(Growth more, Set<TreeNode> dropped) {
    limits.requireTurn(nodes.size() - dropped.size() + growing.size());
    Collection<Branch> kept = dropped.isEmpty() ? branches : used(dropped);
    if (more.forks) {
      limits.requireBranch(kept.size());
    }
    long held = cutOff - dropped.stream().mapToLong(node -> node.tail().length()).sum();
    held += kept.stream().mapToLong(branch -> branch.context().length()).sum();
    for (Growth growth : growing.values()) { // those that have not begun will have more
      held += Math.max(0, growth.start() - growth.branch().context().length());
    }
    limits.requireIds(held, (more.forks ? more.common() : 0) + more.scratch().length());
  }

  /** Returns the branches that turns have, but for some, or grow. */
  private Set<Branch> used(Set<TreeNode> without) {
    Set<Branch> used = new HashSet<>();
    for (TreeNode node : nodes.values()) {
      if (!without.contains(node)) {
        used.add(node.branch);
      }
    }
    growing.values().forEach(growth -> used.add(growth.branch()));
    return used;
  }

  /** Takes a turn in: it alone writes to its branch until it gives that back. */
  Branch take(Growth growth) {
    TreeNode base = growth.base;
    Branch branch =
        base == null
            ? new Branch(pool, publisher)
            : growth.forks ? base.branch.fork(growth.common(), publisher) : base.branch;
    branch.take(growth.id);
    branches.add(branch);
    growth.take(branch);
    growing.put(growth.id, growth);
    return branch;
  }

  /**
   * Drops what a turn replaces. Of a base that still runs, the prompt becomes a turn.
   *
   * @return the requests to be cancelled: they go on from what was dropped, or are the base
   */
  public List<String> replace(Growth growth) {
    if (!growth.replaces) {
      return List.of();
    }
    TreeNode base = growth.base;
    Set<TreeNode> dropped = below(base);
    List<String> running =
        growing.values().stream()
            .filter(turn ->
                base == null
                    || turn.id.equals(base.id)
                    || (turn.base != null && (turn.base == base || dropped.contains(turn.base))))
            .map(turn -> turn.id)
            .toList();
    dropped.forEach(this::drop);
    if (base != null) {
      base.children.clear();
      if (!nodes.containsKey(base.id)) {
        add(base);
      }
    }
    releaseUnused();
    return running;
  }

  /** Cuts the branch of a turn back to where it starts. */
  void rewind(String id) {
    Growth growth = growing(id);
    if (growth.base != null && !growth.forks) {
      cutOff -= growth.base.tail().length();
      growth.base.cut(growth.common());
      cutOff += growth.base.tail().length();
    }
    growth.branch().rewind(growth.common());
  }

  /** Commits a turn: its prompt and what counts of its answer. */
  void commit(String id, int promptEnd, int end) {
    Growth growth = growing(id);
    growth.branch().commit(promptEnd, end);
    add(new TreeNode(growth, promptEnd, end));
    turns++;
  }

  private void add(TreeNode node) {
    nodes.put(node.id, node);
    if (node.base != null) {
      node.base.children.add(node);
    }
    committed += node.own();
    cutOff += node.tail().length();
  }

  private void drop(TreeNode node) {
    nodes.remove(node.id);
    committed -= node.own();
    cutOff -= node.tail().length();
  }

  /** Takes the branch of a turn back. */
  void giveBack(String id) {
    growing(id).branch().giveBack(id);
    growing.remove(id);
    if (!nodes.containsKey(id)) {
      releaseUnused();
    }
  }

  private Growth growing(String id) {
    Growth growth = growing.get(id);
    if (growth == null) {
      throw new IllegalStateException(publisher.session() + " has no turn " + id);
    }
    return growth;
  }

  private void releaseUnused() {
    Set<Branch> used = used(Set.of());
    branches.removeIf(branch -> {
      boolean unused = !used.contains(branch);
      if (unused) {
        var _ = branch.release();
      }
      return unused;
    });
  }

  /**
   * Gives up all pages and tokens of a tree that no turn grows.
   *
   * @return how many tokens had their KV on pages that were freed, because they were private
   */
  int release() {
    int freed = branches.stream().mapToInt(Branch::release).sum();
    branches.clear();
    nodes.clear();
    committed = 0;
    cutOff = 0;
    return freed;
  }

  /** Returns whether a turn waits or runs. */
  boolean isGrowing() {
    return !growing.isEmpty();
  }

  /** Returns all branches. */
  Collection<Branch> branches() {
    return branches;
  }

  /** Returns how many turns were committed. */
  int turns() {
    return turns;
  }

  /** Returns how many tokens its turns have together, those that they share counted once. */
  int committed() {
    return committed;
  }

  /** Names what is wrong between two steps; see {@link Invariants}. */
  void check(List<String> wrong) {
    int tokens = 0;
    long tails = 0;
    for (TreeNode node : nodes.values()) {
      tokens += node.own();
      tails += node.tail().length();
      node.check(wrong);
      if (node.base != null && nodes.get(node.base.id) != node.base) {
        wrong.add("turn " + node.id + " goes on from one that there is not");
      }
    }
    if (tokens != committed || tails != cutOff) {
      wrong.add(
          "%d tokens and %d of tails are counted, of %d and %d"
              .formatted(committed, cutOff, tokens, tails));
    }
    growing.forEach((id, growth) -> {
      if (!id.equals(growth.branch().owner())) {
        wrong.add("turn " + id + " has lost its branch");
      }
    });
    if (!used(Set.of()).equals(branches)) {
      wrong.add("the branches of " + publisher.session() + " are not those of its turns");
    }
  }

  /**
   * Returns how many of them have their KV. Takes time in proportion to its pages, those that
   * branches share counted once: what is before a page that another branch lists, that one lists,
   * too.
   */
  int resident() {
    BitSet seen = new BitSet();
    int resident = 0;
    for (Branch branch : branches) {
      int kv = branch.resident();
      for (int at = (kv - 1) / BLOCK; at >= 0 && kv > 0; at--) {
        int page = branch.context().page(at);
        if (seen.get(page)) {
          break;
        }
        seen.set(page);
        resident += Math.min(BLOCK, kv - at * BLOCK);
      }
    }
    return Math.min(resident, committed());
  }
}
