package dev.sojourn.router.lifecycle;

import dev.sojourn.core.CloseResult;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.Opened;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionSettings;
import dev.sojourn.core.SessionView;
import dev.sojourn.core.WorkerRank;
import java.time.Duration;
import java.util.List;
import java.util.OptionalInt;

/**
 * The port to the workers: their sessions. Calls block; the caller is a virtual thread.
 * Thread-safe. Implementations do not count these calls in fault detection.
 */
public interface EngineSessions {

  /**
   * Opens a session on a rank, or confirms that this incarnation is open with equal settings. One
   * that shares its parent's context starts with that.
   *
   * @throws dev.sojourn.core.FaultException if it did not, or may not have
   */
  Opened open(WorkerRank target, SessionSettings settings);

  /**
   * Closes an incarnation; one that is not there is answered with {@code existed = false}.
   *
   * @throws dev.sojourn.core.FaultException if there was no answer; the call is repeated later
   */
  CloseResult close(WorkerRank target, SessionId id, Incarnation incarnation, OnClose how)
      throws InterruptedException;

  /**
   * Lets an incarnation be idle for {@code idle} until its next turn, from now on or from the end
   * of a running turn on.
   *
   * @return whether it is there
   * @throws dev.sojourn.core.FaultException if there was no answer
   */
  boolean extend(WorkerRank target, SessionId id, Incarnation incarnation, Duration idle);

  /**
   * Returns the sessions that a rank holds, as of its last step.
   *
   * @throws dev.sojourn.core.FaultException if there was no answer
   */
  List<SessionView> sessions(WorkerRank target);

  /**
   * Returns how many published blocks a rank held after its last step, as the KV events of before
   * have told; empty if it does not say.
   *
   * @throws dev.sojourn.core.FaultException if there was no answer
   */
  OptionalInt blocks(WorkerRank target);
}
