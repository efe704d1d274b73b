package dev.sojourn.backend;

import dev.sojourn.core.CloseResult;
import dev.sojourn.core.Fault;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.Opened;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionSettings;
import dev.sojourn.core.SessionView;
import dev.sojourn.core.WorkerId;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.lifecycle.EngineSessions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.function.Function;
import java.util.stream.Collectors;

/** The sessions of some workers, as the router reaches them. Thread-safe. */
public final class WorkerSessions implements EngineSessions {

  private final Map<WorkerId, Worker> workers;

  /** Creates a port to these workers. */
  public WorkerSessions(List<? extends Worker> workers) {
    this.workers =
        workers.stream().collect(Collectors.toUnmodifiableMap(Worker::id, Function.identity()));
  }

  @Override
  public Opened open(WorkerRank target, SessionSettings settings) {
    return worker(target).open(target.rank(), settings);
  }

  @Override
  public CloseResult close(WorkerRank target, SessionId id, Incarnation incarnation, OnClose how)
      throws InterruptedException {
    return worker(target).close(target.rank(), id, incarnation, how);
  }

  @Override
  public boolean extend(WorkerRank target, SessionId id, Incarnation incarnation, Duration idle) {
    return worker(target).extend(target.rank(), id, incarnation, idle);
  }

  @Override
  public List<SessionView> sessions(WorkerRank target) {
    return worker(target).sessions(target.rank());
  }

  @Override
  public OptionalInt blocks(WorkerRank target) {
    return OptionalInt.of(worker(target).stats(target.rank()).publishedPages());
  }

  private Worker worker(WorkerRank target) {
    Worker worker = workers.get(target.worker());
    if (worker == null) {
      throw new Fault.Unavailable("there is no worker " + target.worker()).asException();
    }
    return worker;
  }
}
