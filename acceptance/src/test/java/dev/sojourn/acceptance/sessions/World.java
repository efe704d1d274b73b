package dev.sojourn.acceptance.sessions;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.acceptance.sessions.Flight.Asked;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.History;
import dev.sojourn.core.Namespace;
import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionControl.OnDivergence;
import dev.sojourn.core.SessionControl.WhileBusy;
import dev.sojourn.core.SessionKind;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.engine.EngineConfig;
import dev.sojourn.engine.EvictionPolicy;
import dev.sojourn.engine.TreePlace;
import dev.sojourn.engine.schedule.SteppedRank;
import dev.sojourn.router.BindingView;
import dev.sojourn.router.SelectionQuery;
import dev.sojourn.router.TurnGuard;
import dev.sojourn.router.TurnIntent;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * A router over three ranks of two workers, and their clients, in virtual time. It does one
 * operation after the other, keeps beside it as plain lists what each session must have committed,
 * and checks the {@link NineInvariants} after each.
 *
 * <p>One thread drives everything. Turns that wait for another of their session do so on threads of
 * their own; the driver goes on when each of them waits or has begun.
 */
final class World implements Play.Stage<Op> {

  private static final List<WorkerRank> RANKS = SteppedWorkers.RANKS;

  private final SteppedGateway gateway;
  private final int pages;
  private final int contextLength;
  private final WaitingTurns waiting;

  World(long seed) {
    Random random = new Random(seed);
    pages = 6 + random.nextInt(random.nextBoolean() ? 10 : 60);
    contextLength = 60 + random.nextInt(500);
    EngineConfig config =
        new EngineConfig(
            1 + random.nextInt(5),
            1 + random.nextInt(random.nextBoolean() ? 8 : 60),
            8,
            random.nextBoolean() ? 3 : 100,
            1 + random.nextInt(30),
            random.nextDouble(),
            random.nextBoolean() ? EvictionPolicy.LRU : EvictionPolicy.PRIORITY,
            Duration.ofSeconds(random.nextInt(20)));
    gateway = new SteppedGateway(pages, contextLength, config, 2 + random.nextInt(6), 1, seed);
    waiting = new WaitingTurns(gateway);
    gateway.trees.onAlone(flight ->
        waiting.begin(
            flight.asked,
            flight.place(),
            gateway.trees.intent(flight.asked.name(), Action.CONTINUE, WhileBusy.QUEUE),
            gateway.router::beginAlone));
  }

  @Override
  public Map<String, Integer> seen() {
    return gateway.seen;
  }

  @Override
  public void apply(Op op) throws InterruptedException {
    gateway.see("op " + op.getClass().getSimpleName());
    switch (op) {
      case Op.Turn turn -> turn(turn);
      case Op.Fork fork -> {
        SessionControl.Builder control =
            SessionControl.builder(SteppedGateway.id(fork.name()), Action.OPEN);
        String parent = SteppedGateway.id(fork.parent()).name();
        if (fork.shares()) {
          control.parent(parent);
        } else {
          control.near(Optional.of(parent));
        }
        begin(
            new Asked(
                fork.name(),
                false,
                false,
                0,
                ids(fork.salt(), fork.fresh()),
                fork.most(),
                false,
                0),
            Optional.of(control.timeout(Duration.ofSeconds(20)).build()),
            -1);
      }
      case Op.OpenTree tree -> gateway.trees.open(tree.name());
      case Op.TreeTurn turn -> turn(turn);
      case Op.Side side ->
          begin(
              new Asked(
                  side.name(),
                  false,
                  true,
                  0,
                  ids(side.salt(), side.fresh()),
                  side.most(),
                  false,
                  0),
              control(side.name(), Action.CONTINUE, false, false),
              -1);
      case Op.Plain plain ->
          begin(
              stateless(
                  Conversation.joined(
                      ids(plain.prefix(), 20 * plain.prefix()),
                      ids(plain.salt(), 1 + plain.fresh())),
                  plain.most(),
                  plain.priority()),
              Optional.empty(),
              -1);
      case Op.FillPool fill ->
          begin(
              stateless(
                  ids(fill.salt(), Math.min(contextLength, pages * 16) * fill.tenths() / 10), 4, 0),
              Optional.empty(),
              -1);
      case Op.Overlong overlong ->
          begin(
              new Asked(overlong.name(), false, false, 0, ids(1, contextLength + 1), 1, false, 0),
              control(overlong.name(), Action.CONTINUE, false, false),
              -1);
      case Op.Query query -> query(query.name());
      case Op.Advance advance -> {
        for (int i = 0; i < advance.steps(); i++) {
          nth(gateway.flights, advance.nth()).ifPresent(gateway::advance);
        }
      }
      case Op.Abort abort -> nth(gateway.flights, abort.nth()).ifPresent(gateway::abort);
      case Op.Interrupt interrupt -> waiting.interrupt(interrupt.nth());
      case Op.Close close -> close(close);
      case Op.Extend extend -> extend(extend);
      case Op.Steps steps -> steps(RANKS.get(steps.rank()), steps.count());
      case Op.Time time -> pass(Duration.ofMillis(time.millis()));
      case Op.Crash crash -> gateway.crash(RANKS.get(crash.rank()));
      case Op.Die die -> gateway.die(RANKS.get(die.rank()));
      case Op.Restart restart -> restart(restart.forgets());
      case Op.Repeat repeat ->
          gateway.repeat(
              repeat.name(),
              gateway.intent(
                  control(repeat.name(), Action.CONTINUE, true, false), Optional.empty(), false));
      case Op.Leave leave -> gateway.leaveOrJoin(RANKS.get(leave.rank()));
      case Op.Drain drain -> gateway.router.drainWorker(RANKS.get(drain.rank()).worker());
      case Op.Opens opens -> gateway.workers.openFates.add(opens.fate());
      case Op.Closes closes ->
          IntStream.range(0, closes.count())
              .forEach(_ -> gateway.workers.closeFates.add(closes.fate()));
      case Op.ModelFails fails -> gateway.workers.rank(RANKS.get(fails.rank())).failNext();
    }
    settle();
    gateway.check();
  }

  @Override
  public void end() throws InterruptedException {
    endTurns();
    gateway.workers.openFates.clear();
    gateway.workers.closeFates.clear();
    gateway.check();
    for (int i = 0; i < 40; i++) {
      pass(Duration.ofSeconds(5));
    }
    gateway.check();
    NineInvariants.seventh(gateway.router, gateway.workers);
    sum();
  }

  private void endTurns() {
    while (!gateway.flights.isEmpty()) {
      gateway.abort(gateway.flights.getFirst());
      settle();
    }
    assertThat(waiting.count()).isZero();
  }

  private void restart(boolean forgets) throws InterruptedException {
    if (!forgets) {
      endTurns();
    }
    sumRouter();
    gateway.restart(forgets);
    waiting.join(); // they were sent away
    gateway.see(forgets ? "began anew with nothing" : "began anew");
  }

  private void sum() {
    sumRouter();
    for (WorkerRank rank : RANKS) {
      gateway.see("evicted", gateway.workers.rank(rank).stats().evictedPages());
      gateway.see("retracted", gateway.workers.rank(rank).stats().retractions());
    }
  }

  private void sumRouter() {
    var stats = gateway.router.stats();
    gateway.see("expired", stats.expired());
    gateway.see("hit", stats.hits());
    gateway.see("moved", stats.moved());
    gateway.see("broken", stats.broken());
    gateway.see("open refused", stats.lifecycle().refused());
    gateway.see("close retried", stats.lifecycle().retries());
    gateway.see("close abandoned", stats.lifecycle().abandoned());
    gateway.see("life lost", stats.lifecycle().lost());
    gateway.see("life reaped", stats.lifecycle().reaped());
    gateway.see("life learnt", stats.lifecycle().learnt());
  }

  @Override
  public void close() {
    gateway.close();
  }

  private void turn(Op.Turn turn) throws InterruptedException {
    Asked asked =
        new Asked(
            turn.name(),
            turn.delta(),
            false,
            turn.cut(),
            ids(turn.salt(), turn.fresh()),
            turn.most(),
            turn.stop(),
            0);
    begin(asked, control(turn.name(), turn.action(), turn.delta(), turn.queues()), turn.pin());
  }

  /** Begins a turn of a tree; one that closes it waits for the others, which wait for nobody. */
  private void turn(Op.TreeTurn turn) throws InterruptedException {
    List<Integer> fresh = ids(turn.salt(), turn.fresh());
    Asked asked = new Asked(turn.name(), true, false, 0, fresh, turn.most(), turn.stop(), 0);
    TreePlace place = gateway.trees.place(turn);
    TurnIntent intent =
        turn.last()
            ? gateway.trees.intent(turn.name(), Action.CLOSE, WhileBusy.QUEUE)
            : gateway.trees.intent(turn.name(), Action.CONTINUE, WhileBusy.REJECT);
    if (turn.last() && gateway.isOccupied(turn.name())) {
      waiting.begin(asked, place, intent, gateway.router::begin);
    } else {
      var _ = gateway.begin(asked, place, intent);
    }
  }

  private static Asked stateless(List<Integer> prompt, int most, int priority) {
    return new Asked(-1, false, false, 0, prompt, most, false, priority);
  }

  private static Optional<SessionControl> control(
      int name, Action action, boolean delta, boolean wait) {
    return Optional.of(
        new SessionControl(
            SteppedGateway.id(name),
            action,
            Duration.ofSeconds(5 + 10L * name),
            delta ? Input.DELTA : Input.FULL,
            OptionalInt.empty(),
            OptionalLong.empty(),
            Optional.empty(),
            Optional.empty(),
            OnDivergence.REWIND,
            name % 2 == 0 ? OnClose.FREE : OnClose.RETAIN,
            wait ? WhileBusy.QUEUE : WhileBusy.REJECT,
            name == 3 ? OptionalInt.of(120) : OptionalInt.empty(),
            History.AS_RENDERED,
            SessionControl.Require.ANY,
            true,
            SessionKind.CONVERSATION));
  }

  private void begin(Asked asked, Optional<SessionControl> control, int pin)
      throws InterruptedException {
    TurnIntent intent =
        gateway.intent(control, pin < 0 ? Optional.empty() : Optional.of(RANKS.get(pin)), false);
    if (gateway.isOccupied(asked.name())
        && control.filter(c -> c.whileBusy() == WhileBusy.QUEUE).isPresent()) {
      waiting.begin(asked, null, intent, gateway.router::begin);
      return;
    }
    var _ = gateway.begin(asked, intent);
  }

  /** Takes over the turns whose time has come, and brings the model up to date with the engines. */
  private void settle() {
    for (Flight flight : List.copyOf(gateway.flights)) {
      gateway.follow(flight);
    }
    waiting.takeOver();
  }

  private void query(int name) throws InterruptedException {
    Optional<BindingView> before = gateway.router.binding(SteppedGateway.id(name));
    TurnIntent intent =
        gateway.intent(control(name, Action.CONTINUE, false, true), Optional.empty(), true);
    try (TurnGuard guard = gateway.router.begin(intent)) {
      guard.select(
          SelectionQuery.ofTokens(
              Namespace.DEFAULT, () -> Conversation.tokens(ids(1, 20)), 20, 0, 1));
    } catch (FaultException e) {
      gateway.see(e.fault());
    }
    assertThat(gateway.router.binding(SteppedGateway.id(name))).isEqualTo(before);
  }

  private void close(Op.Close close) throws InterruptedException {
    try {
      var report =
          gateway.router.close(
              SteppedGateway.id(close.name()),
              close.retain() ? OnClose.RETAIN : OnClose.FREE,
              WhileBusy.REJECT);
      gateway.see(report.existed() ? "closed" : "not closed");
    } catch (FaultException e) {
      gateway.see(e.fault());
    }
  }

  private void extend(Op.Extend extend) {
    try {
      boolean there =
          gateway
              .router
              .extend(SteppedGateway.id(extend.name()), Duration.ofSeconds(extend.seconds()))
              .isPresent();
      gateway.see(there ? "extended" : "not extended");
    } catch (FaultException e) {
      gateway.see(e.fault());
    }
  }

  private void steps(WorkerRank rank, int count) {
    for (int i = 0; i < count; i++) {
      gateway.workers.rank(rank).step();
      settle();
    }
  }

  private void pass(Duration by) {
    gateway.clock.advance(by);
    gateway.router.tick();
    RANKS.forEach(rank -> steps(rank, 1));
  }

  private static <T> Optional<T> nth(List<T> list, int nth) {
    return list.isEmpty() ? Optional.empty() : Optional.of(list.get(nth % list.size()));
  }

  private static List<Integer> ids(int salt, int count) {
    return new Random(salt).ints(count, 0, SteppedRank.VOCABULARY).boxed().toList();
  }
}
