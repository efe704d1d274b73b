package dev.sojourn.engine.kv;

import dev.sojourn.core.Tokens;
import dev.sojourn.core.TurnMode;
import org.jspecify.annotations.Nullable;

/**
 * A turn that becomes one of a {@link TurnTree} when it is committed: where it goes on from, and
 * the branch that it grows once it was taken in. Owned by the engine thread.
 */
public final class Growth {

  final String id;
  final @Nullable TreeNode base;
  final boolean replaces;
  final boolean forks;
  final int length;
  private final int common;
  private final Tokens scratch;
  private final TurnMode mode;
  private @Nullable Branch branch;

  /**
   * Creates a plan.
   *
   * @param replaces whether what follows {@code base} is dropped, or all turns
   * @param forks whether it begins a branch
   * @param length how many ids it has from its base
   * @param common how many of them its branch has
   * @param scratch the ids that follow
   * @param mode what it does to the session
   */
  Growth(
      String id,
      @Nullable TreeNode base,
      boolean replaces,
      boolean forks,
      int length,
      int common,
      Tokens scratch,
      TurnMode mode) {
    this.id = id;
    this.base = base;
    this.replaces = replaces;
    this.forks = forks;
    this.length = length;
    this.common = common;
    this.scratch = scratch;
    this.mode = mode;
  }

  /** Returns what it does to the session. */
  public TurnMode mode() {
    return mode;
  }

  /** Returns how many tokens of its branch it starts with. */
  public int common() {
    return common;
  }

  /** Returns the ids that follow. */
  public Tokens scratch() {
    return scratch;
  }

  /** Returns how many tokens it has when it begins. */
  int start() {
    return common + scratch.length();
  }

  /** Gives it the branch that it grows. */
  void take(Branch taken) {
    branch = taken;
  }

  Branch branch() {
    if (branch == null) {
      throw new IllegalStateException("turn " + id + " has not been taken in");
    }
    return branch;
  }
}
