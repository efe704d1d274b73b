package dev.sojourn.engine.kv;

import dev.sojourn.core.SessionTokens;
import dev.sojourn.core.Tokens;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Committed tokens and the pages of their KV: all that a session has said, or one of the ways that
 * it has gone.
 *
 * <p>At most one turn at a time has it, and alone writes to the {@link Context} meanwhile. The
 * committed tokens change only by {@link #commit} and {@link #rewind}: a turn that ends without a
 * commit leaves them as they were, whatever it did.
 *
 * <p>Owned by the engine thread.
 */
public final class Branch {

  private final PagePool pool;
  private final Publisher publisher;

  private Context context;
  private int committed;
  private int heldKv; // tokens that had their KV when the last turn was committed, or more
  private int[] boundaries = new int[8]; // where turns' prompts and answers ended; ascending
  private boolean[] endsPrompt = new boolean[8]; // which of them ended a prompt
  private int boundaryCount;
  private int turns;
  private @Nullable String owner;

  /** Creates one without tokens. */
  Branch(PagePool pool, Publisher publisher) {
    this.pool = pool;
    this.publisher = publisher;
    context = new Context(pool, 0, publisher);
  }

  /**
   * Returns another one that starts with the first {@code upTo} committed tokens and shares their
   * pages, also while a turn has this one.
   *
   * @param by the session that owns what the other publishes
   */
  Branch fork(int upTo, Publisher by) {
    Branch other = new Branch(pool, by);
    other.context = context.fork(upTo, by);
    other.committed = upTo;
    // What was evicted before counts as lost to whoever goes on from there.
    other.heldKv = Math.min(upTo, Math.max(heldKv, other.context.computed()));
    other.boundaries = boundaries.clone();
    other.endsPrompt = endsPrompt.clone();
    other.boundaryCount = boundaryCount;
    other.dropBoundaries(upTo);
    return other;
  }

  /** Returns the committed length. */
  public int committed() {
    return committed;
  }

  /** Returns the committed tokens. */
  public Tokens tokens() {
    return context.view(committed);
  }

  /** Returns the digest of the committed tokens; 0 of none. */
  public long digest() {
    return committed == 0 ? 0 : context.digest(committed);
  }

  /** Returns how many tokens had their KV when the last turn ended. */
  public int heldKv() {
    return Math.min(heldKv, committed);
  }

  /** Returns how many committed tokens have their KV. */
  int resident() {
    return Math.min(context.computed(), committed);
  }

  /** Returns how many turns were committed. */
  int turns() {
    return turns;
  }

  /** Returns whether all it has is what it was started with. */
  public boolean isFreshFork() {
    return turns == 0 && committed > 0;
  }

  /** Returns the request that has it, or null. */
  public @Nullable String owner() {
    return owner;
  }

  /** Returns whether its committed tokens are of this namespace, or there are none. */
  public boolean accepts(long namespace) {
    return committed == 0 || context.namespace() == namespace;
  }

  /** Returns the context for the turn that has it. */
  public Context context(long namespace) {
    if (committed == 0 && context.namespace() != namespace) {
      context = new Context(pool, namespace, publisher);
    }
    return context;
  }

  /** Returns its context, to be checked. */
  Context context() {
    return context;
  }

  /**
   * Returns the greatest recorded end of a prompt or an answer in {@code [from, to]}; -1 without
   * one.
   */
  public int boundary(int from, int to) {
    int at = boundaryCount;
    while (at > 0 && boundaries[at - 1] > to) {
      at--;
    }
    return at > 0 && boundaries[at - 1] >= from ? boundaries[at - 1] : -1;
  }

  /** Cuts the committed tokens back. The turn's context is cut by the turn. */
  public void rewind(int to) {
    committed = to;
    heldKv = Math.min(heldKv, to);
    dropBoundaries(to);
  }

  /** Commits a turn: its prompt and what counts of its answer. */
  public void commit(int promptEnd, int cut) {
    committed = cut;
    addBoundary(promptEnd, true);
    addBoundary(cut, false);
    turns++;
  }

  /** Returns what is committed, to be computed elsewhere. */
  SessionTokens committedTokens() {
    int at = boundaryCount;
    while (at > 0 && !endsPrompt[at - 1]) {
      at--;
    }
    return new SessionTokens(tokens(), at == 0 ? 0 : boundaries[at - 1], digest());
  }

  /** Gives it to a turn, which alone may give it back. */
  void take(String requestId) {
    if (owner != null) {
      throw new IllegalStateException(publisher.session() + " belongs to request " + owner);
    }
    owner = requestId;
  }

  /** Takes it back from the turn that had it, whose context has ended. */
  void giveBack(String requestId) {
    if (!requestId.equals(owner)) {
      throw new IllegalStateException(
          "request "
              + requestId
              + " gives back "
              + publisher.session()
              + ", which "
              + owner
              + " has");
    }
    owner = null;
    // A turn that was given up leaves what it found evicted to be told by the next.
    heldKv = Math.max(heldKv(), context.computed());
  }

  /** Counts as used now, though no turn has it. */
  void touch() {
    context.touch();
  }

  /**
   * Gives up all pages and tokens of one that no turn has.
   *
   * @return how many tokens had their KV on pages that were freed, because they were private
   */
  int release() {
    int freed = context.release();
    context = new Context(pool, 0, publisher);
    return freed;
  }

  private void dropBoundaries(int to) {
    while (boundaryCount > 0 && boundaries[boundaryCount - 1] > to) {
      boundaryCount--;
    }
  }

  private void addBoundary(int at, boolean isPrompt) {
    if (boundaryCount > 0 && boundaries[boundaryCount - 1] >= at) {
      endsPrompt[boundaryCount - 1] |= isPrompt;
      return;
    }
    if (boundaryCount == boundaries.length) {
      boundaries = Arrays.copyOf(boundaries, 2 * boundaryCount);
      endsPrompt = Arrays.copyOf(endsPrompt, 2 * boundaryCount);
    }
    endsPrompt[boundaryCount] = isPrompt;
    boundaries[boundaryCount++] = at;
  }
}
