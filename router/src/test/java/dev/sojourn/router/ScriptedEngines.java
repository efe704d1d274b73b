package dev.sojourn.router;

import dev.sojourn.core.CloseResult;
import dev.sojourn.core.Fault;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.ManualClock;
import dev.sojourn.core.Opened;
import dev.sojourn.core.Parent;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionSettings;
import dev.sojourn.core.SessionView;
import dev.sojourn.core.WorkerId;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.lifecycle.EngineSessions;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Queue;
import java.util.Set;
import java.util.function.Consumer;

/** Workers that only hold sessions, and fail as a test tells them to. Thread-safe. */
final class ScriptedEngines implements EngineSessions {

  /** What happens to a call. */
  enum Fate {
    WORKS,
    REFUSED,
    /** It does not get there, as the worker cannot be reached. */
    LOST,
    /** It gets there; the answer does not come back. */
    ANSWER_LOST
  }

  /** One life of a session on a rank. */
  record Life(WorkerRank rank, SessionId id, Incarnation incarnation) {}

  final Queue<Fate> openFates = new ArrayDeque<>();
  final Queue<Fate> closeFates = new ArrayDeque<>();
  private final ManualClock clock;

  /** When each life was opened. */
  private final Map<Life, Long> since = new LinkedHashMap<>();

  final Set<Life> open = since.keySet();
  final List<SessionSettings> opened = new ArrayList<>();
  final List<Life> closeCalls = new ArrayList<>();
  final List<OnClose> closeHows = new ArrayList<>();
  private final Set<Life> answeredCloses = new HashSet<>();

  /** Sessions that were closed again after that was answered; a thread of a close tells nobody. */
  final List<Life> closedAgain = new ArrayList<>();

  final Map<Life, Duration> extended = new LinkedHashMap<>();
  Consumer<Life> onClose = _ -> {};

  /** How many blocks ranks say they hold. */
  final Map<WorkerRank, Integer> blocks = new HashMap<>();

  /** What happens once when the sessions have been told and not yet been looked at. */
  Runnable afterSessions = () -> {};

  ScriptedEngines(ManualClock clock) {
    this.clock = clock;
  }

  @Override
  public synchronized Opened open(WorkerRank target, SessionSettings settings) {
    Fate fate = next(openFates);
    boolean forks = settings.parent().filter(Parent::shares).isPresent();
    if (fate == Fate.REFUSED) {
      throw new Fault.Overloaded("no room", Duration.ofSeconds(1)).asException();
    }
    if (forks && fate != Fate.LOST && !open.contains(parentOf(target, settings))) {
      throw new Fault.NotFound("parent_not_found", "no such parent").asException();
    }
    if (fate != Fate.LOST) {
      since.put(new Life(target, settings.id(), settings.incarnation()), clock.nanos());
      opened.add(settings);
    }
    answer(fate);
    return forks ? new Opened(100, 100, 1) : new Opened(0, 0, 0);
  }

  private static Life parentOf(WorkerRank target, SessionSettings settings) {
    Parent parent = settings.parent().orElseThrow();
    return new Life(target, parent.id(), parent.incarnation());
  }

  @Override
  public synchronized CloseResult close(
      WorkerRank target, SessionId id, Incarnation incarnation, OnClose how) {
    Life life = new Life(target, id, incarnation);
    closeCalls.add(life);
    closeHows.add(how);
    onClose.accept(life);
    if (answeredCloses.contains(life)) {
      closedAgain.add(life);
    }
    Fate fate = next(closeFates);
    boolean existed = fate != Fate.LOST && open.remove(life);
    answer(fate);
    answeredCloses.add(life);
    return new CloseResult(existed, existed ? 100 : 0);
  }

  @Override
  public synchronized boolean extend(
      WorkerRank target, SessionId id, Incarnation incarnation, Duration idle) {
    Life life = new Life(target, id, incarnation);
    extended.put(life, idle);
    return open.contains(life);
  }

  @Override
  public synchronized List<SessionView> sessions(WorkerRank target) {
    List<SessionView> views =
        since.entrySet().stream()
            .filter(held -> held.getKey().rank().equals(target))
            .map(held -> view(settings(held.getKey()), clock.nanos() - held.getValue()))
            .toList();
    Runnable after = afterSessions;
    afterSessions = () -> {};
    after.run();
    return views;
  }

  @Override
  public synchronized OptionalInt blocks(WorkerRank target) {
    Integer held = blocks.get(target);
    return held == null ? OptionalInt.empty() : OptionalInt.of(held);
  }

  private SessionSettings settings(Life life) {
    return opened.stream()
        .filter(settings -> settings.incarnation().equals(life.incarnation()))
        .findFirst()
        .orElseThrow();
  }

  private static SessionView view(SessionSettings settings, long idleNanos) {
    Duration remaining = settings.timeout().minusNanos(idleNanos);
    Duration idle = Duration.ofNanos(idleNanos);
    return new SessionView(settings, 100, 100, 1, false, false, idle, remaining, 0, 0);
  }

  /** A worker's process ends. */
  synchronized void crash(WorkerId worker) {
    open.removeIf(life -> life.rank().worker().equals(worker));
  }

  private static Fate next(Queue<Fate> fates) {
    Fate fate = fates.poll();
    return fate == null ? Fate.WORKS : fate;
  }

  private static void answer(Fate fate) {
    if (fate == Fate.LOST || fate == Fate.ANSWER_LOST) {
      throw new Fault.Unavailable("no answer").asException();
    }
  }
}
