package dev.sojourn.router;

import dev.sojourn.core.Fault;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.LossCause;
import dev.sojourn.core.Opened;
import dev.sojourn.core.Parent;
import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionKind;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.Selection.Affinity;
import dev.sojourn.router.affinity.Binding.Bound;
import dev.sojourn.router.affinity.Lease;
import dev.sojourn.router.affinity.Terms;
import dev.sojourn.router.affinity.Tip;
import dev.sojourn.router.lifecycle.CloseAnswer;
import dev.sojourn.router.load.Rank;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * One turn's way through the router. From {@link Router#begin} on it owns the turn's lease, its
 * booking and what it opened, and gives all of it back when it is finished, however that happens.
 *
 * <pre>
 * begin → select → open → (dispatch) → accepted → firstToken, generated … → finish
 * </pre>
 *
 * <p>Until {@link #accepted}, the binding is as it was; a turn that ends before leaves no trace.
 * After it, a turn that fails leaves an open session without that turn. {@link #finish} releases in
 * one order: metrics, load, lease, then the close. Used by one thread at a time.
 *
 * <p>Longer than other classes because each step says in which steps it may come, and what it
 * leaves to give back.
 */
public final class TurnGuard implements AutoCloseable {

  private enum Step {
    BEGUN,
    SELECTED,
    /** The open failed, and with it the turn, unless it goes elsewhere. */
    FAILED,
    ACCEPTED,
    FINISHED
  }

  private final Router router;
  private final TurnIntent intent;
  private final Standing standing;
  private final Optional<TurnOrder.Place> place;

  private Step step = Step.BEGUN;
  private @Nullable Selection selection;
  private Rank.@Nullable Booking booking;
  private @Nullable SelectionQuery query;
  private boolean aside;
  private boolean wentElsewhere;
  private Optional<Tip> committed = Optional.empty();

  private final EngineLife life;

  TurnGuard(Router router, TurnIntent intent, Standing standing, Optional<TurnOrder.Place> place) {
    this.router = router;
    this.intent = intent;
    this.standing = standing;
    this.place = place;
    life = new EngineLife(router, intent, standing);
  }

  /**
   * Returns the life of the session that this turn belongs to, as of its beginning; empty if it is
   * served without a session.
   */
  public Optional<Incarnation> incarnation() {
    return standing.incarnation();
  }

  /** Returns why there is no session, or why it had to be opened. */
  public NoSession reason() {
    return standing.reason();
  }

  /** Returns what the turns of its session are to each other. */
  public SessionKind kind() {
    return standing instanceof Standing.Without
        ? SessionKind.CONVERSATION
        : standing.terms().shape();
  }

  /**
   * Returns the session that this turn's is started from or belongs to, and the life that it had at
   * the beginning; empty if this turn opens no session, it has no parent, or that was not open.
   */
  public Optional<Parent> parent() {
    return standing instanceof Standing.Opens opens ? opens.parentLife() : Optional.empty();
  }

  /** Returns whether {@link #open} has an engine session to open; known after {@link #select}. */
  public boolean opens() {
    return life.opens();
  }

  /**
   * Gives everything back where the turn would open a new life of a session beside other turns,
   * each of which would open another, and end this one.
   *
   * @return whether that is so: the turn is to begin again, {@linkplain Router#beginAlone alone}
   */
  public boolean hasToBeginAlone() {
    if (!life.opens() || !place.map(TurnOrder.Place::isShared).orElse(false)) {
      return false;
    }
    step = Step.FINISHED;
    try {
      releaseLoad();
      var _ = releaseLease(false);
    } finally {
      place.ifPresent(TurnOrder.Place::leave);
    }
    return true;
  }

  /**
   * Chooses the turn's rank and books its load.
   *
   * @throws dev.sojourn.core.FaultException Unavailable, if there is no rank for it
   */
  public Selection select(SelectionQuery query) {
    return select(query, false);
  }

  /**
   * As {@link #select(SelectionQuery)}.
   *
   * @param aside whether the turn is a side request, which commits nothing: it runs in its session
   *     where that is, but neither opens nor moves it
   */
  public Selection select(SelectionQuery query, boolean aside) {
    expect(Step.BEGUN);
    this.query = query;
    this.aside = aside;
    return place(query, Optional.empty());
  }

  private Selection place(SelectionQuery asked, Optional<WorkerRank> avoided) {
    Placer.Placed placed =
        router.placer().place(new Placer.Wish(standing, intent, asked, aside, avoided));
    booking = placed.booking().orElse(null);
    if (booking != null) {
      router.counters().bookings.incrementAndGet();
    }
    Selection chosen =
        new Selection(
            placed.rank().id(),
            placed.affinity(),
            placed.why(),
            placed.overlapBlocks(),
            life.placed(placed.affinity()));
    selection = chosen;
    step = Step.SELECTED;
    return chosen;
  }

  /**
   * Opens the engine session at the chosen rank, if there is one to open.
   *
   * @return what it starts with; empty if there was none to open
   * @throws dev.sojourn.core.FaultException the worker's; the turn can then only go elsewhere, if
   *     the worker was {@link #unreachable}, or be finished, and leaves nothing behind
   */
  public Optional<Opened> open() {
    expect(Step.SELECTED);
    step = Step.FAILED;
    Optional<Opened> opened = life.open(selected().target());
    step = Step.SELECTED;
    return opened;
  }

  /**
   * Tells that the chosen rank cannot be reached, before it accepted anything. The turn goes to
   * another one, once: it is booked there instead, and if it runs in an engine session that is a
   * new life, which {@link #open} has to open. What the old rank may hold of it is closed.
   *
   * @return the selection as it is now
   * @throws dev.sojourn.core.FaultException Unavailable, if the turn is pinned, went elsewhere
   *     already, or there is no other rank for it
   */
  public Selection unreachable() {
    if (step != Step.FAILED) {
      expect(Step.SELECTED);
    }
    SelectionQuery asked = query;
    if (intent.queryOnly() || asked == null) {
      throw new IllegalStateException("nothing was sent to the rank");
    }
    WorkerRank gone = selected().target();
    step = Step.FAILED;
    releaseLoad();
    life.abandon();
    if (wentElsewhere || intent.pin().isPresent()) {
      throw new Fault.Unavailable(gone + " cannot be reached").asException();
    }
    wentElsewhere = true;
    return place(asked, Optional.of(gone));
  }

  /**
   * Tells that the worker does not know the session: it was started anew, or the session ended by
   * the engine's own timeout. A new life begins on the same rank, and {@link #open} has to be
   * called again; a turn that closes the session, or is a side request, goes on without one.
   *
   * @return the selection as it is now
   */
  public Selection lost() {
    expect(Step.SELECTED);
    Selection before = selected();
    if (!(standing instanceof Standing.Holds)
        || before.affinity() != Affinity.HIT
        || before.incarnation().isEmpty()) {
      throw new IllegalStateException("this turn does not run in a session that was open before");
    }
    if (!aside) {
      life.lost();
    }
    Affinity affinity = aside ? Affinity.NONE : Affinity.BROKEN;
    Selection after =
        new Selection(
            before.target(),
            affinity,
            before.target() + " had lost the session",
            0,
            life.placed(affinity));
    selection = after;
    return after;
  }

  /**
   * Returns why what the session held, or the parent that it starts from, is not at the chosen
   * rank; empty if it is, or nothing was held.
   */
  public Optional<LossCause> away() {
    return switch (selected().affinity()) {
      case MOVED -> Optional.of(LossCause.MOVED);
      case BROKEN -> Optional.of(LossCause.WORKER_LOST);
      case NEW -> standing.parentElsewhere(selected().target()).map(router::whyAway);
      case HIT, NONE -> Optional.empty();
    };
  }

  /** Tells that the worker accepted the dispatch: the session is bound to the rank from here on. */
  public void accepted() {
    expect(Step.SELECTED);
    if (intent.queryOnly() || life.opens()) {
      throw new IllegalStateException("nothing may be dispatched: query only, or not opened yet");
    }
    step = Step.ACCEPTED;
    router.counters().accepted(selected().affinity());
    life.accepted(selected());
  }

  /**
   * Tells how far the turn has got the session, which is known with its binding from its end on.
   */
  public void committed(int length, long digest) {
    committed = Optional.of(new Tip(length, digest));
  }

  /** Returns how far the session had got before this turn, whoever served it, if that is known. */
  public Optional<Tip> tip() {
    return standing.binding().flatMap(Bound::tip);
  }

  /** Returns how far the parent of a session that begins has got, if that is known. */
  public Optional<Tip> parentTip() {
    return standing instanceof Standing.Opens opens
        ? opens.parent().flatMap(Bound::tip)
        : Optional.empty();
  }

  /** Returns whether a session that begins starts with what a worker holds of its parent. */
  public boolean isParentHeld() {
    return standing.heldParent().isPresent();
  }

  /** Tells of the turn's first token: its prompt has been computed. */
  public void firstToken() {
    if (booking != null) {
      booking.firstToken();
    }
  }

  /** Tells of more sampled tokens. */
  public void generated(int tokens) {
    if (booking != null) {
      booking.generated(tokens);
    }
  }

  /**
   * Ends the turn, exactly once. Waits a moment for the engine's answer if the turn closes a
   * session. A last turn that no worker accepted closes it only if it is completed, which is to say
   * that it had nothing to send: its client may put right what was wrong, and try again.
   */
  public CloseReport finish(TurnOutcome outcome) {
    return finish(outcome, router.config().closeWait());
  }

  /** As {@link #finish(TurnOutcome)}, with another patience for the engine's answer. */
  CloseReport finish(TurnOutcome outcome, Duration patience) {
    if (step == Step.FINISHED) {
      throw new IllegalStateException("turn " + intent.requestId() + " is finished already");
    }
    boolean closes = intent.closes() && (step == Step.ACCEPTED || outcome == TurnOutcome.COMPLETED);
    step = Step.FINISHED;
    Duration closeWait = router.config().closeWait();
    Duration first = patience.compareTo(closeWait) < 0 ? patience : closeWait;
    Optional<Ended> ended;
    try {
      if (!intent.queryOnly()) {
        router.counters().ended(outcome);
      }
      releaseLoad();
      try {
        ended = releaseLease(closes);
      } finally {
        life.closeUnbound(); // also where the store failed: nobody else knows of it
      }
      // An open from behind that got there first would end this life in a way of its own.
      var _ = ended.flatMap(Ended::answer).map(closed -> CloseAnswer.of(closed, first));
    } finally {
      place.ifPresent(TurnOrder.Place::leave);
    }
    return report(ended, patience.minus(first));
  }

  /** Finishes the turn, unless it is finished: an end may have failed that was begun. */
  public void abandon(TurnOutcome outcome) {
    if (step != Step.FINISHED) {
      var _ = finish(outcome);
    }
  }

  /** Finishes the turn as aborted, unless it is finished. */
  @Override
  public void close() {
    abandon(TurnOutcome.ABORTED);
  }

  private void releaseLoad() {
    if (booking != null) {
      booking.release();
      booking = null;
      router.counters().bookingsReleased.incrementAndGet();
    }
  }

  /**
   * A binding that ended with the turn.
   *
   * @param answer the engine's to the close of what it stood for; empty if that was none of its
   */
  private record Ended(Optional<CompletableFuture<CloseAnswer>> answer) {}

  /** Gives the lease back, and closes the session if its binding ends with that. */
  private Optional<Ended> releaseLease(boolean closes) {
    return switch (standing) {
      case Standing.Without _, Standing.Looks _ -> Optional.empty();
      case Standing.Opens opens -> {
        router.counters().leasesReturned.incrementAndGet();
        if (!router.store().remove(session(), opens.opening().revision())) {
          release(opens.lease());
        }
        yield Optional.empty();
      }
      case Standing.Holds holds -> {
        router.counters().leasesReturned.incrementAndGet();
        if (closes) {
          yield unbind(holds.lease());
        }
        release(holds.lease());
        yield Optional.empty();
      }
    };
  }

  private void release(Lease lease) {
    router.store().release(session(), lease, committed);
    router.expiry().turnEnded(session());
  }

  /** Ends the binding whatever its revision is by now, as long as this turn's lease is on it. */
  private Optional<Ended> unbind(Lease lease) {
    while (router.store().peek(session()) instanceof Bound bound
        && bound.leases().contains(lease)) {
      try (var _ = router.lifecycle().hold(bound.target(), bound.incarnation())) {
        if (router.store().remove(session(), bound.revision())) {
          return Optional.of(new Ended(closed(bound)));
        }
      }
    }
    return Optional.empty();
  }

  private Optional<CompletableFuture<CloseAnswer>> closed(Bound bound) {
    return bound.terms().kind() == Terms.Kind.ENGINE_BACKED
        ? Optional.of(life.close(bound.target(), bound.incarnation(), onClose(bound)))
        : Optional.empty();
  }

  private OnClose onClose(Bound bound) {
    boolean retains =
        bound.terms().onClose() == OnClose.RETAIN || control().onClose() == OnClose.RETAIN;
    return retains ? OnClose.RETAIN : OnClose.FREE;
  }

  private CloseReport report(Optional<Ended> ended, Duration patience) {
    if (!intent.closes() || intent.queryOnly()) {
      return CloseReport.NOT_ASKED;
    }
    if (ended.isEmpty()) {
      return CloseReport.UNKNOWN;
    }
    Optional<CompletableFuture<CloseAnswer>> answer = ended.get().answer();
    if (answer.isEmpty()) {
      return new CloseReport(true, true, OptionalInt.of(0), false);
    }
    CloseAnswer known = CloseAnswer.of(answer.get(), patience);
    return known
        .result()
        .map(result ->
            new CloseReport(true, result.existed(), OptionalInt.of(result.tokensFreed()), false))
        .orElseGet(() -> new CloseReport(true, true, OptionalInt.empty(), known.pending()));
  }

  private SessionControl control() {
    return intent.control().orElseThrow();
  }

  private SessionId session() {
    return control().session();
  }

  private Selection selected() {
    if (selection == null) {
      throw new IllegalStateException("select first");
    }
    return selection;
  }

  private void expect(Step expected) {
    if (step != expected) {
      throw new IllegalStateException(
          "turn " + intent.requestId() + " is " + step + ", not " + expected);
    }
  }
}
