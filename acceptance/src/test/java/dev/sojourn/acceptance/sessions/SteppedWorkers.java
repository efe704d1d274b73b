package dev.sojourn.acceptance.sessions;

import dev.sojourn.acceptance.sessions.Op.Fate;
import dev.sojourn.core.CloseResult;
import dev.sojourn.core.Fault;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.KvEvent;
import dev.sojourn.core.Opened;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionSettings;
import dev.sojourn.core.SessionView;
import dev.sojourn.core.WorkerId;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.engine.schedule.SteppedRank;
import dev.sojourn.router.lifecycle.EngineSessions;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiConsumer;
import java.util.function.Supplier;

/** Workers whose ranks step when they are told to, and whose calls fail as a script says. */
final class SteppedWorkers implements EngineSessions {

  static final List<WorkerRank> RANKS =
      List.of(
          new WorkerRank(new WorkerId("a"), 0),
          new WorkerRank(new WorkerId("a"), 1),
          new WorkerRank(new WorkerId("b"), 0));

  /** A life of a session on a rank. */
  record Life(WorkerRank rank, Incarnation incarnation) {}

  final Queue<Fate> openFates = new ArrayDeque<>();
  final Queue<Fate> closeFates = new ArrayDeque<>();
  private final Supplier<SteppedRank> maker;
  private final Map<WorkerRank, SteppedRank> ranks = new LinkedHashMap<>();
  private final BiConsumer<WorkerRank, SessionSettings> onOpen;
  private BiConsumer<WorkerRank, KvEvent> listener = (_, _) -> {};

  /**
   * Creates workers with empty ranks.
   *
   * @param onOpen hears of each session that a rank has, whether the router is told or not
   */
  SteppedWorkers(Supplier<SteppedRank> maker, BiConsumer<WorkerRank, SessionSettings> onOpen) {
    this.maker = maker;
    this.onOpen = onOpen;
    RANKS.forEach(rank -> ranks.put(rank, maker.get()));
  }

  /** Lets {@code listener} hear of what each rank publishes from now on. */
  void listen(BiConsumer<WorkerRank, KvEvent> newListener) {
    listener = newListener;
    RANKS.forEach(this::subscribe);
  }

  private void subscribe(WorkerRank rank) {
    SteppedRank stepped = rank(rank);
    stepped
        .scheduler()
        .subscribe(event -> {
          if (rank(rank) == stepped) {
            listener.accept(rank, event);
          }
        });
  }

  SteppedRank rank(WorkerRank rank) {
    return Objects.requireNonNull(ranks.get(rank));
  }

  /** A rank's process ends, and another begins in its place. */
  void crash(WorkerRank rank) {
    ranks.put(rank, maker.get());
    listener.accept(rank, new KvEvent.Cleared());
    subscribe(rank);
  }

  @Override
  public Opened open(WorkerRank target, SessionSettings settings) {
    Fate fate = next(openFates);
    if (fate == Fate.REFUSED) {
      throw new Fault.Overloaded("told to refuse", Duration.ofSeconds(1)).asException();
    }
    if (fate == Fate.LOST) {
      throw new Fault.Unavailable("no answer").asException();
    }
    Opened opened = rank(target).scheduler().open(settings);
    onOpen.accept(target, settings);
    answer(fate);
    return opened;
  }

  @Override
  public CloseResult close(WorkerRank target, SessionId id, Incarnation incarnation, OnClose how) {
    Fate fate = next(closeFates);
    CompletableFuture<CloseResult> reply = new CompletableFuture<>();
    if (fate != Fate.LOST) {
      rank(target).scheduler().close(id, incarnation, how, reply);
    }
    answer(fate);
    if (!reply.isDone()) {
      throw new AssertionError("closed while its turn runs: " + id);
    }
    return reply.join();
  }

  @Override
  public boolean extend(WorkerRank target, SessionId id, Incarnation incarnation, Duration idle) {
    return rank(target).scheduler().extend(id, incarnation, idle);
  }

  @Override
  public List<SessionView> sessions(WorkerRank target) {
    return rank(target).scheduler().sessions();
  }

  @Override
  public OptionalInt blocks(WorkerRank target) {
    return OptionalInt.of(rank(target).stats().publishedPages());
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
