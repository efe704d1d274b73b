package dev.sojourn.router;

import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionControl.WhileBusy;
import dev.sojourn.core.SessionId;
import java.util.Optional;

/**
 * A close that has its place behind its session's turns, and cannot be refused any more. Whoever
 * has one has to {@link #run} it, once: the turns behind wait for it.
 */
public final class ComingClose {

  private final Router router;
  private final TurnIntent intent;
  private final TurnOrder.Place place;

  ComingClose(Router router, TurnIntent intent, TurnOrder.Place place) {
    this.router = router;
    this.intent = intent;
    this.place = place;
  }

  /** Returns what a close wants that comes without a turn. */
  static TurnIntent intent(SessionId id, OnClose how, WhileBusy busy) {
    SessionControl control =
        SessionControl.builder(id, Action.CLOSE).onClose(how).whileBusy(busy).build();
    return new TurnIntent("close", id.tenant(), Optional.of(control), Optional.empty(), false);
  }

  /** Returns whether the turns before it are over. */
  public boolean isNext() {
    return place.hasTurn();
  }

  /**
   * Waits for the turns before it, and closes the session.
   *
   * @throws dev.sojourn.core.FaultException if the router shuts down before
   */
  public CloseReport run() throws InterruptedException {
    place.await();
    try (TurnGuard guard = router.enter(intent, place, false).orElseThrow()) {
      return guard.finish(TurnOutcome.COMPLETED);
    }
  }
}
