package dev.sojourn.engine.kv;

import dev.sojourn.core.BlockHasher;
import dev.sojourn.core.CloseResult;
import dev.sojourn.core.Opened;
import dev.sojourn.core.Parent;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionKind;
import dev.sojourn.core.SessionSettings;
import dev.sojourn.core.SessionView;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * One life of a session: what it was opened with, what it has said, and when it ends.
 *
 * <p>A turn takes it with {@link #take} and gives it back with {@link #giveBack}.
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
  private final Branch branch; // of a regular session, without tokens
  private final @Nullable TurnTree tree; // of a regular session
  private final List<CompletableFuture<CloseResult>> awaitingClose = new ArrayList<>();

  private @Nullable SessionRecord parent;
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
    idleSince = now;
    deadline = now + settings.timeout().toNanos();
    this.parent = parent;
    boolean shares = settings.parent().filter(Parent::shares).isPresent();
    branch =
        parent != null && shares
            ? parent.branch.fork(parent.branch.committed(), publisher)
            : new Branch(pool, publisher);
    tree = settings.kind() == SessionKind.REGULAR ? new TurnTree(pool, publisher) : null;
  }

  /** Returns what it was opened with. */
  public SessionSettings settings() {
    return settings;
  }

  /** Returns who it is as a publisher of pages. */
  public Publisher publisher() {
    return publisher;
  }

  /** Returns what it has said; of a regular session, nothing. */
  public Branch branch() {
    return branch;
  }

  /** Returns the turns of a regular session; null of another. */
  public @Nullable TurnTree tree() {
    return tree;
  }

  /** Returns all that holds pages for it. */
  public Collection<Branch> branches() {
    return tree == null ? List.of(branch) : tree.branches();
  }

  /** Returns whether a turn waits or runs. */
  public boolean isBusy() {
    return tree == null ? branch.owner() != null : tree.isGrowing();
  }

  /** Returns whether it ends with the turn that has it. */
  public boolean isClosing() {
    return closing != null;
  }

  /** Gives the session to a turn, which alone may give it back, or a part of a regular one. */
  Branch take(String requestId, @Nullable Growth growth) {
    touchAncestors();
    if (tree != null && growth != null) {
      return tree.take(growth);
    }
    branch.take(requestId);
    return branch;
  }

  /** Cuts what a turn has of the session back to where it starts. The turn cuts its context. */
  public void rewind(String requestId, int to) {
    if (tree == null) {
      branch.rewind(to);
    } else {
      tree.rewind(requestId);
    }
  }

  /** Commits a turn: its prompt and what counts of its answer. */
  public void commit(String requestId, int promptEnd, int cut) {
    if (tree == null) {
      branch.commit(promptEnd, cut);
    } else {
      tree.commit(requestId, promptEnd, cut);
    }
  }

  /** Takes the session back from the turn that had it, whose context has ended. */
  void giveBack(String requestId, long now) {
    if (tree == null) {
      branch.giveBack(requestId);
    } else {
      tree.giveBack(requestId);
      if (tree.isGrowing()) {
        return;
      }
    }
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
    int freed = tree == null ? branch.release() : tree.release();
    if (how == OnClose.FREE) {
      freed += pool.freePagesOf(publisher) * BlockHasher.BLOCK;
    }
    CloseResult result = new CloseResult(true, freed);
    awaitingClose.forEach(reply -> reply.complete(result));
    parent = null; // its children may outlive it, and keep no more of it than this
    return result;
  }

  /** Ends it as it was asked to be. */
  void endAsAsked() {
    end(closing == null ? settings.onExpiry() : closing);
  }

  private int committed() {
    return tree == null ? branch.committed() : tree.committed();
  }

  private int resident() {
    return tree == null ? branch.resident() : tree.resident();
  }

  /** Returns what it holds. */
  Opened opened() {
    return new Opened(committed(), resident(), branch.digest());
  }

  /** Returns what it is now. */
  SessionView view(int children, long now) {
    return new SessionView(
        settings,
        committed(),
        resident(),
        tree == null ? branch.turns() : tree.turns(),
        isBusy(),
        isClosing(),
        isBusy() ? Duration.ZERO : Duration.ofNanos(now - idleSince),
        isBusy() ? afterTurn() : Duration.ofNanos(deadline - now),
        children,
        branch.digest());
  }

  /** The nearest first: of two that would be used at once, the child goes before its parent. */
  private void touchAncestors() {
    SessionRecord at = parent;
    for (int i = 0; at != null && i < GENERATIONS; i++) {
      at.branches().forEach(Branch::touch);
      at = at.parent;
    }
  }

  private Duration afterTurn() {
    return allowance == null ? settings.timeout() : allowance;
  }
}
