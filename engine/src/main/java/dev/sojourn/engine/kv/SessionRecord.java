package dev.sojourn.engine.kv;

import dev.sojourn.core.BlockHasher;
import dev.sojourn.core.CloseResult;
import dev.sojourn.core.Opened;
import dev.sojourn.core.Parent;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionSettings;
import dev.sojourn.core.SessionTokens;
import dev.sojourn.core.SessionView;
import dev.sojourn.core.Tokens;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * One life of a session: its committed tokens and the pages of their KV.
 *
 * <p>A turn takes the record with {@link #take} and gives it back with {@link #giveBack}; it alone
 * writes to the {@link Context} meanwhile. The committed tokens change only by {@link #commit} and
 * {@link #rewind}: a turn that ends without a commit leaves them as they were, whatever it did.
 *
 * <p>A session that was started from another counts as used whenever it is used itself: who waits
 * for its subagents does not lose its pages first. Nobody can be an ancestor of its own, since only
 * a new record gets a parent.
 *
 * <p>Owned by the engine thread.
 */
public final class SessionRecord {

  /** How many generations count as used when a session is. */
  private static final int GENERATIONS = 64;

  private final SessionSettings settings;
  private final PagePool pool;
  private final long serial;
  private final Publisher publisher;
  private final List<CompletableFuture<CloseResult>> awaitingClose = new ArrayList<>();

  private @Nullable SessionRecord parent;
  private Context context;
  private int committed;
  private int heldKv; // tokens that had their KV when the last turn ended
  private int[] boundaries = new int[8]; // where turns' prompts and answers ended; ascending
  private boolean[] endsPrompt = new boolean[8]; // which of them ended a prompt
  private int boundaryCount;
  private int turns;
  private @Nullable String owner;
  private @Nullable OnClose closing;
  private long idleSince;
  private long deadline; // when it ends, while it is idle
  private @Nullable Duration allowance; // instead of the timeout, after the turn that has it

  SessionRecord(
      SessionSettings settings,
      @Nullable SessionRecord parent,
      PagePool pool,
      long serial,
      long now) {
    this.serial = serial;
    this.settings = settings;
    this.pool = pool;
    publisher = new Publisher(settings.id());
    context = new Context(pool, 0, publisher);
    idleSince = now;
    deadline = now + settings.timeout().toNanos();
    this.parent = parent;
    if (parent != null && settings.parent().filter(Parent::shares).isPresent()) {
      context = parent.context.fork(parent.committed, publisher);
      committed = parent.committed;
      heldKv = context.computed();
      boundaries = parent.boundaries.clone();
      endsPrompt = parent.endsPrompt.clone();
      boundaryCount = parent.boundaryCount;
    }
  }

  /** Returns what it was opened with. */
  public SessionSettings settings() {
    return settings;
  }

  /** Returns who it is as a publisher of pages. */
  public Publisher publisher() {
    return publisher;
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

  /** Returns whether all it has is what it was started with. */
  public boolean isFreshFork() {
    return turns == 0 && committed > 0;
  }

  /** Returns whether a turn waits or runs. */
  public boolean isBusy() {
    return owner != null;
  }

  /** Returns the request that has the session, or null. */
  public @Nullable String owner() {
    return owner;
  }

  /** Returns whether it ends with the turn that has it. */
  public boolean isClosing() {
    return closing != null;
  }

  /** Returns whether its committed tokens are of this namespace, or there are none. */
  public boolean accepts(long namespace) {
    return committed == 0 || context.namespace() == namespace;
  }

  /** Gives the session to a turn, which alone may give it back. */
  void take(String requestId) {
    if (owner != null) {
      throw new IllegalStateException(settings.id() + " belongs to request " + owner);
    }
    owner = requestId;
    touchAncestors();
  }

  /** Returns the context for the turn that has the session. */
  public Context context(long namespace) {
    if (committed == 0 && context.namespace() != namespace) {
      context = new Context(pool, namespace, publisher);
    }
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

  /** Cuts the committed tokens back to a boundary. The turn's context is cut by the turn. */
  public void rewind(int to) {
    committed = to;
    while (boundaryCount > 0 && boundaries[boundaryCount - 1] > to) {
      boundaryCount--;
    }
  }

  /** Commits a turn: its prompt and what counts of its answer. */
  public void commit(int promptEnd, int cut) {
    committed = cut;
    addBoundary(promptEnd, true);
    addBoundary(cut, false);
    turns++;
  }

  /** Takes the session back from the turn that had it, whose context has ended. */
  void giveBack(String requestId, long now) {
    if (!requestId.equals(owner)) {
      throw new IllegalStateException(
          "request " + requestId + " gives back " + settings.id() + ", which " + owner + " has");
    }
    owner = null;
    heldKv = context.computed();
    idleSince = now;
    deadline = now + afterTurn().toNanos();
    allowance = null;
    touchAncestors();
  }

  /** Returns its place in the order of opening. */
  long serial() {
    return serial;
  }

  /** Returns when it ends if no turn comes. */
  long deadline() {
    return deadline;
  }

  /** Lets it be idle for so long until the next turn: from now on, or once a running one ends. */
  void extend(Duration idle, long now) {
    if (isBusy()) {
      allowance = idle;
    } else {
      deadline = now + idle.toNanos();
    }
  }

  /** Returns what is committed, to be computed elsewhere. */
  SessionTokens committedTokens() {
    int at = boundaryCount;
    while (at > 0 && !endsPrompt[at - 1]) {
      at--;
    }
    return new SessionTokens(tokens(), at == 0 ? 0 : boundaries[at - 1], digest());
  }

  /** Returns the session that it was started from, while that is open. */
  @Nullable SessionRecord parent() {
    return parent;
  }

  /** Asks for the end of a life that has a turn; a close that was asked for before decides how. */
  void closeLater(OnClose how, @Nullable CompletableFuture<CloseResult> reply) {
    if (closing == null) {
      closing = how;
    }
    if (reply != null) {
      awaitingClose.add(reply);
    }
  }

  /** Ends the life of a session that no turn has. */
  CloseResult end(OnClose how) {
    int freed = context.release();
    if (how == OnClose.FREE) {
      freed += pool.freePagesOf(publisher) * BlockHasher.BLOCK;
    }
    CloseResult result = new CloseResult(true, freed);
    awaitingClose.forEach(reply -> reply.complete(result));
    // Its children may outlive it, and keep no more of it than this.
    parent = null;
    context = new Context(pool, 0, publisher);
    return result;
  }

  /** Ends it as it was asked to be. */
  void endAsAsked() {
    end(closing == null ? settings.onExpiry() : closing);
  }

  /** Returns what it holds. */
  Opened opened() {
    return new Opened(committed, Math.min(context.computed(), committed), digest());
  }

  /** Returns what it is now. */
  SessionView view(int children, long now) {
    return new SessionView(
        settings,
        committed,
        Math.min(context.computed(), committed),
        turns,
        isBusy(),
        isClosing(),
        isBusy() ? Duration.ZERO : Duration.ofNanos(now - idleSince),
        isBusy() ? afterTurn() : Duration.ofNanos(deadline - now),
        children,
        digest());
  }

  /** Returns its context, to be checked. */
  Context context() {
    return context;
  }

  /** The nearest first: of two that would be used at once, the child goes before its parent. */
  private void touchAncestors() {
    SessionRecord at = parent;
    for (int i = 0; at != null && i < GENERATIONS; i++) {
      at.context.touch();
      at = at.parent;
    }
  }

  private Duration afterTurn() {
    return allowance == null ? settings.timeout() : allowance;
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
