package dev.sojourn.backend;

import dev.sojourn.core.CloseResult;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.KvEvent;
import dev.sojourn.core.Opened;
import dev.sojourn.core.Promise;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionSettings;
import dev.sojourn.core.SessionTokens;
import dev.sojourn.core.SessionView;
import dev.sojourn.core.WorkerId;
import dev.sojourn.engine.EngineStats;
import dev.sojourn.engine.TurnRequest;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.IntConsumer;
import java.util.function.ObjIntConsumer;

/**
 * Somebody who generates: the embedded engine, or a server elsewhere. Thread-safe. Calls block; the
 * caller is a virtual thread. Failures are {@link dev.sojourn.core.FaultException}s.
 */
public interface Worker extends AutoCloseable {

  /** Returns the worker's name. */
  WorkerId id();

  /** Returns how many ranks it has. */
  int ranks();

  /** Returns the strongest promise it can make for a session. */
  Promise promise();

  /**
   * Opens a session, or confirms that this incarnation is open with equal settings. One that shares
   * its parent's context starts with that.
   */
  Opened open(int rank, SessionSettings settings);

  /** Closes an incarnation of a session; with a turn running, when that turn ends. */
  CloseResult close(int rank, SessionId session, Incarnation incarnation, OnClose how)
      throws InterruptedException;

  /**
   * Lets a session be idle for {@code idle} until its next turn, from now on or from the end of a
   * running turn on; after that its own timeout counts again.
   *
   * @return whether there is such a life, and it is not closing
   */
  boolean extend(int rank, SessionId session, Incarnation incarnation, Duration idle);

  /** Returns what a session has committed; empty if there is no such life. */
  Optional<SessionTokens> tokens(int rank, SessionId session, Incarnation incarnation);

  /** Starts a generation; returns when the worker has accepted it. */
  Generation generate(int rank, TurnRequest request) throws InterruptedException;

  /** Returns the sessions that a rank holds. */
  List<SessionView> sessions(int rank);

  /** Returns what a rank holds and has done. */
  EngineStats stats(int rank);

  /** Returns what a rank died of; empty while it lives. A rank that died does not come back. */
  Optional<String> failure(int rank);

  /**
   * Names somebody to be told of each rank that died, as {@link #failure} says: at once, or before
   * its turns fail. Called by the rank's engine thread; must not block.
   */
  void onFailure(IntConsumer listener);

  /**
   * Checks a rank's books; takes time in proportion to its pool.
   *
   * @throws dev.sojourn.core.FaultException Internal, naming what is wrong
   */
  void check(int rank);

  /**
   * Subscribes to the KV events of all ranks, with the rank they are of. A subscriber first gets
   * the events that lead from an empty state to the present one. It is called by the rank's engine
   * thread and must not block.
   */
  void subscribe(ObjIntConsumer<KvEvent> subscriber);

  /** Ends it: running turns are cancelled. */
  @Override
  void close();
}
