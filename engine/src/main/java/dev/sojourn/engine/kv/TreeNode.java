package dev.sojourn.engine.kv;

import dev.sojourn.core.Tokens;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A committed turn of a {@link TurnTree}: the first {@code shared} ids of its branch, and {@code
 * tail}. Owned by the engine thread.
 */
final class TreeNode {

  final String id;
  final @Nullable TreeNode base;
  final List<TreeNode> children = new ArrayList<>();
  final Branch branch;
  final int from; // how many ids it has from its base
  final int promptEnd;
  private int shared;
  private Tokens tail = Tokens.EMPTY;

  /** Creates what a turn has become. */
  TreeNode(Growth growth, int promptEnd, int end) {
    id = growth.id;
    base = growth.base;
    branch = growth.branch();
    from = growth.length;
    this.promptEnd = promptEnd;
    shared = end;
  }

  /** Creates what is left of a turn that is interrupted: its prompt. */
  TreeNode(Growth interrupted) {
    this(interrupted, interrupted.start(), interrupted.common());
    tail = interrupted.scratch();
  }

  /** Returns how many ids it has of its branch. */
  int shared() {
    return shared;
  }

  /** Returns those that it has beside its branch, which was cut back under it. */
  Tokens tail() {
    return tail;
  }

  int length() {
    return shared + tail.length();
  }

  /** Returns how many of its ids are not its base's. */
  int own() {
    return length() - from;
  }

  /** Returns how far its branch can be cut back without cutting the turn before it. */
  int floor() {
    return base != null && base.branch == branch ? base.shared : 0;
  }

  /** Returns whether no turn goes on from it on its own branch. */
  boolean isLast() {
    return children.stream().noneMatch(child -> child.branch == branch);
  }

  /** Keeps as ids what is about to be cut off its branch. */
  void cut(int to) {
    if (to < shared) {
      int[] ids = branch.context().view(shared).from(to).toArray(); // or it would hold all
      tail = Tokens.of(ids).concat(tail);
      shared = to;
    }
  }

  /** Names what is wrong with it. */
  void check(List<String> wrong) {
    if (shared > branch.committed()) {
      wrong.add("turn " + id + " has tokens of its branch that are not committed");
    }
    if (base != null && (!base.children.contains(this) || base.length() < from)) {
      wrong.add("turn " + id + " goes on from one that does not know it, or is shorter");
    }
  }
}
