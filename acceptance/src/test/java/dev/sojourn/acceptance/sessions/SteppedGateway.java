package dev.sojourn.acceptance.sessions;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.acceptance.sessions.Flight.Asked;
import dev.sojourn.core.AgentHints;
import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.FinishReason;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.ManualClock;
import dev.sojourn.core.Namespace;
import dev.sojourn.core.Parent;
import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.SessionControl.OnDivergence;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionKind;
import dev.sojourn.core.SessionSettings;
import dev.sojourn.core.Tenant;
import dev.sojourn.core.TurnMode;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.engine.EngineConfig;
import dev.sojourn.engine.RecordedAnswer;
import dev.sojourn.engine.SessionTurn;
import dev.sojourn.engine.StopRules;
import dev.sojourn.engine.TreePlace;
import dev.sojourn.engine.TurnEnd;
import dev.sojourn.engine.TurnRequest;
import dev.sojourn.engine.TurnStart;
import dev.sojourn.engine.sample.SamplingParameters;
import dev.sojourn.engine.schedule.SteppedRank;
import dev.sojourn.router.BindingView;
import dev.sojourn.router.NoSession;
import dev.sojourn.router.RankCapacity;
import dev.sojourn.router.Router;
import dev.sojourn.router.RouterConfig;
import dev.sojourn.router.RouterStats.RankStats;
import dev.sojourn.router.Selection;
import dev.sojourn.router.SelectionQuery;
import dev.sojourn.router.TurnGuard;
import dev.sojourn.router.TurnIntent;
import dev.sojourn.router.TurnOutcome;
import dev.sojourn.router.affinity.MemoryAffinityStore;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Random;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A gateway without HTTP over {@link SteppedWorkers}, driven by one thread in virtual time: it
 * sends turns as the real one does, and keeps beside them as plain lists what each session must
 * have committed. Each answer is compared with a stateless run over the same ids.
 *
 * <p>Longer than other classes, as whatever befalls a turn, its rank or its router changes what its
 * session must hold.
 */
final class SteppedGateway implements AutoCloseable {

  /** How often what was seen: a test that never gets there would prove nothing. */
  final Map<String, Integer> seen = new HashMap<>();

  final ManualClock clock = new ManualClock();
  final SteppedWorkers workers;

  /** The router, until the next one takes its place. */
  Router router;

  /** The turns that have begun and not ended, oldest first. */
  final List<Flight> flights = new ArrayList<>();

  private final Random seeds;
  private final int entries;
  private MemoryAffinityStore store;
  private final int pages;
  private final int compared;

  /** What the gateway remembers of each name. */
  private final Map<Integer, Conversation> transcripts = new HashMap<>();

  /** What each engine session must hold. */
  private final Map<SteppedWorkers.Life, Conversation> lives = new HashMap<>();

  /** The turns of regular sessions. */
  final SteppedTrees trees = new SteppedTrees(this);

  private Consumer<Flight> onEnd = _ -> {};
  private int requests;
  private int answers;

  /**
   * Creates a gateway whose ranks have all joined.
   *
   * @param pages of each rank
   * @param entries the most names that are bound
   * @param compared each how manyth answer is compared with a stateless run
   */
  SteppedGateway(
      int pages, int contextLength, EngineConfig config, int entries, int compared, long seed) {
    this.pages = pages;
    this.compared = compared;
    workers =
        new SteppedWorkers(
            () -> new SteppedRank(pages, contextLength, config, clock), this::opened);
    this.entries = entries;
    seeds = new Random(seed);
    store = new MemoryAffinityStore(clock, entries);
    router = newRouter();
    workers.listen((rank, event) -> router.onKvEvent(rank, event));
    SteppedWorkers.RANKS.forEach(this::join);
  }

  private Router newRouter() {
    Random random = new Random(seeds.nextLong());
    return new Router(RouterConfig.defaults(), clock, random, store, workers, Runnable::run);
  }

  /** Lets {@code listener} hear of each turn that ends. */
  void onEnd(Consumer<Flight> listener) {
    onEnd = listener;
  }

  /** Checks the invariants that hold after everything that happens. */
  void check() {
    NineInvariants.check(router, workers, lives, trees, flights);
  }

  @Override
  public void close() {
    router.close();
    store.close();
  }

  /** Returns a request for the router. */
  TurnIntent intent(Optional<SessionControl> control, Optional<WorkerRank> pin, boolean query) {
    return new TurnIntent("r" + requests++, Tenant.DEFAULT, control, pin, query);
  }

  /** Begins a turn that need not wait; returns it if it was not refused. */
  Optional<Flight> begin(Asked asked, TurnIntent intent) throws InterruptedException {
    return begin(asked, null, intent);
  }

  /** Begins a turn that need not wait, in a tree if it has a place there. */
  Optional<Flight> begin(Asked asked, @Nullable TreePlace place, TurnIntent intent)
      throws InterruptedException {
    try {
      boolean alone = place == null || intent.control().orElseThrow().action() == Action.CLOSE;
      Flight flight = new Flight(asked, place, alone, router.begin(intent));
      flights.add(flight);
      return Optional.of(flight);
    } catch (FaultException e) {
      see(e.fault());
      return Optional.empty();
    }
  }

  /** Returns whether a turn of a session has begun and not ended. */
  boolean isOccupied(int name) {
    return flights.stream().anyMatch(flight -> flight.leased() && flight.asked.name() == name);
  }

  /** Takes a turn one step further on its way to a rank. */
  void advance(Flight flight) {
    try {
      if (flight.isInTree()) {
        trees.advance(flight);
      } else if (flight.selection == null) {
        select(flight);
      } else if (flight.guard.opens()) {
        open(flight);
      } else if (flight.answer == null) {
        dispatch(flight);
      }
    } catch (FaultException e) {
      see(e.fault());
      finish(flight, TurnOutcome.FAILED);
    }
  }

  /** Opens the engine session, elsewhere if its rank cannot be reached; some clients give up. */
  private void open(Flight flight) {
    try {
      flight.guard.open();
    } catch (FaultException e) {
      if (!(e.fault() instanceof Fault.Unavailable) || flight.asked.most() % 2 == 0) {
        throw e;
      }
      flight.booked = false;
      flight.selection = flight.guard.unreachable();
      flight.booked = true;
      see("elsewhere");
      return;
    }
    flight.opened = true;
  }

  private void select(Flight flight) {
    Asked asked = flight.asked;
    flight.held = held(flight).orElse(null);
    List<Integer> held = flight.held == null ? List.of() : flight.held.ids();
    int keep = asked.aside() ? Math.min(8, held.size()) : Math.max(0, held.size() - asked.cut());
    List<Integer> fresh = new ArrayList<>(asked.fresh());
    if (fresh.isEmpty() && keep == 0) {
      fresh.add(1);
    }
    if (asked.aside() && keep < held.size()) {
      fresh.set(0, (held.get(keep) + 1) % 22); // so that it does differ here
    }
    flight.prompt = Conversation.joined(held.subList(0, asked.delta() ? held.size() : keep), fresh);
    int known = Conversation.common(held, flight.prompt);
    boolean aside = asked.aside() && !held.isEmpty();
    flight.selection =
        flight.guard.select(
            SelectionQuery.ofTokens(
                Namespace.DEFAULT,
                () -> Conversation.tokens(flight.prompt),
                flight.prompt.size(),
                known,
                asked.most()),
            aside);
    flight.booked = true;
    if (flight.selection.incarnation().isEmpty() && asked.delta() && asked.name() >= 0) {
      throw Fault.invalid("input", "a delta needs an engine session").asException();
    }
  }

  /** Returns what the gateway remembers of the session that a turn goes on with. */
  private Optional<Conversation> held(Flight flight) {
    Optional<Parent> parent = flight.guard.parent().filter(Parent::shares);
    if (parent.isPresent()) {
      return transcripts.values().stream()
          .filter(transcript -> transcript.life.equals(parent.get().incarnation()))
          .findFirst()
          .map(transcript -> transcript.fork(flight.guard.incarnation().orElseThrow()));
    }
    Optional<Incarnation> life = flight.guard.incarnation();
    if (life.isEmpty() || flight.guard.reason() != NoSession.NONE) {
      return Optional.empty();
    }
    return Optional.ofNullable(transcripts.get(flight.asked.name()))
        .filter(transcript -> transcript.life.equals(life.get()));
  }

  /** Sends a turn as a gateway does: what is new if it may, else all; all again if need be. */
  private void dispatch(Flight flight) {
    Optional<Incarnation> before = flight.guard.incarnation();
    boolean known =
        before.isPresent()
            && flight.guard.reason() == NoSession.NONE
            && requireNonNull(flight.selection).incarnation().equals(before);
    List<Integer> held = flight.held == null ? List.of() : flight.held.ids();
    boolean delta =
        known && !held.isEmpty() && flight.asked.delta() && flight.prompt.size() > held.size();
    Optional<Fault> fault = send(flight, delta);
    if (fault.isPresent() && delta && isConflict(fault.get(), "tip_mismatch")) {
      see("replayed");
      fault = send(flight, false);
    }
    if (fault.isPresent() && known && isLost(fault.get())) {
      flight.selection = flight.guard.lost();
      see("lost");
      if (flight.guard.opens()) {
        flight.guard.open();
        flight.opened = true;
      }
      fault = send(flight, false);
    }
    if (fault.isPresent()) {
      throw fault.get().asException();
    }
    flight.guard.accepted();
    flight.accepted = true;
    Incarnation life = flight.life();
    if (before.isPresent() && life != null) {
      transcripts.computeIfAbsent(flight.asked.name(), _ -> new Conversation(before.get())).life =
          life;
      if (flight.guard.parent().isPresent() && flight.held != null) {
        transcripts.put(flight.asked.name(), flight.held);
      } else if (flight.guard.reason() != NoSession.NONE) {
        transcripts.put(flight.asked.name(), new Conversation(life));
      }
    }
  }

  /** Submits a turn; returns why it was refused. */
  private Optional<Fault> send(Flight flight, boolean delta) {
    Selection selection = requireNonNull(flight.selection);
    Asked asked = flight.asked;
    Conversation engine =
        selection
            .incarnation()
            .map(life -> lives.getOrDefault(flight.lifeOnRank(), new Conversation(life)))
            .orElse(null);
    List<Integer> held = flight.held == null ? List.of() : flight.held.ids();
    List<Integer> input =
        delta ? flight.prompt.subList(held.size(), flight.prompt.size()) : flight.prompt;
    int floor = asked.aside() && !held.isEmpty() ? Math.min(8, held.size()) + 1 : 0;
    Optional<SessionTurn> session =
        selection
            .incarnation()
            .map(life ->
                new SessionTurn(
                    id(asked.name()),
                    life,
                    delta ? Input.DELTA : Input.FULL,
                    delta ? OptionalInt.of(held.size()) : OptionalInt.empty(),
                    OptionalLong.empty(),
                    OnDivergence.REWIND,
                    floor,
                    false,
                    Optional.empty()));
    TurnRequest request = request(asked, session, input);
    RecordedAnswer answer = workers.rank(selection.target()).submit(request);
    if (answer.hasFailed()) {
      return Optional.of(answer.fault());
    }
    flight.request = request;
    flight.answer = answer;
    flight.plan =
        engine == null
            ? new Conversation.Plan(TurnMode.NONE, 0, flight.prompt)
            : engine.plan(input, delta, floor);
    return Optional.empty();
  }

  /** Returns a request for a rank. */
  TurnRequest request(Asked asked, Optional<SessionTurn> session, List<Integer> input) {
    return new TurnRequest(
        "t" + requests++,
        Namespace.DEFAULT,
        session,
        Conversation.tokens(input),
        asked.most(),
        SamplingParameters.GREEDY,
        new StopRules(List.of(), asked.stop() ? Set.of(SteppedRank.END_OF_TURN, 3) : Set.of()),
        OptionalInt.of(0),
        new AgentHints(asked.priority(), OptionalInt.empty(), Optional.empty()));
  }

  private static boolean isConflict(Fault fault, String code) {
    return fault instanceof Fault.Conflict conflict && conflict.code().equals(code);
  }

  /** Returns whether a rank does not know a session, or not this life of it. */
  static boolean isLost(Fault fault) {
    return isConflict(fault, "stale_incarnation")
        || (fault instanceof Fault.NotFound unknown && unknown.code().equals("session_not_found"));
  }

  /** Follows a turn on its rank, up to its end. */
  void follow(Flight flight) {
    RecordedAnswer answer = flight.answer;
    if (answer == null) {
      return;
    }
    if (flight.tellProgress()) {
      started(flight, answer.start());
    }
    if (!answer.isOver()) {
      return;
    }
    if (answer.hasFailed()) {
      assertThat(answer.fault()).isInstanceOf(Fault.Internal.class);
      see(answer.fault());
      finish(flight, TurnOutcome.FAILED);
      return;
    }
    ended(flight, answer.end());
    boolean cancelled = answer.end().reason() == FinishReason.CANCELLED;
    finish(flight, cancelled ? TurnOutcome.ABORTED : TurnOutcome.COMPLETED);
  }

  private void started(Flight flight, TurnStart start) {
    if (flight.isInTree()) {
      trees.started(flight, start);
      return;
    }
    Conversation.Plan plan = requireNonNull(flight.plan);
    assertThat(start.mode()).isEqualTo(plan.mode());
    see("mode " + start.mode());
    if (plan.mode() == TurnMode.REWIND) {
      requireNonNull(lives.get(flight.lifeOnRank())).rewind(plan.boundary());
    }
  }

  /** Checks an answer, and commits it to what the engine and the gateway must hold. */
  private void ended(Flight flight, TurnEnd end) {
    see("end " + end.reason());
    assertThat(Conversation.list(end.prompt())).as("8: the prompt").isEqualTo(flight.prompt);
    if (answers++ % compared == 0) {
      SteppedRank.assertSameAsStateless(
          requireNonNull(flight.request), requireNonNull(flight.answer));
    }
    if (flight.isInTree()) {
      trees.ended(flight, end);
      return;
    }
    TurnMode mode = requireNonNull(flight.plan).mode();
    boolean commits = mode != TurnMode.ASIDE && mode != TurnMode.NONE;
    if (!commits || end.reason() == FinishReason.CANCELLED) {
      return;
    }
    List<Integer> completion = Conversation.list(end.completion());
    Incarnation life = requireNonNull(flight.life());
    requireNonNull(lives.get(flight.lifeOnRank())).commit(flight.prompt, completion);
    Conversation transcript = transcripts.get(flight.asked.name());
    if (transcript != null && transcript.life.equals(life)) {
      transcript.commit(flight.prompt, completion);
    }
  }

  void abort(Flight flight) {
    if (flight.answer == null) {
      see("aborted before it ran");
      finish(flight, TurnOutcome.ABORTED);
      return;
    }
    see("aborted");
    cancel(flight);
    follow(flight);
  }

  private void cancel(Flight flight) {
    Selection selection = requireNonNull(flight.selection);
    workers.rank(selection.target()).scheduler().cancel(requireNonNull(flight.request).requestId());
  }

  private void finish(Flight flight, TurnOutcome outcome) {
    flights.remove(flight);
    SteppedTrees.over(flight);
    if (outcome == TurnOutcome.ABORTED) {
      flight.guard.close();
    } else {
      var report = flight.guard.finish(outcome);
      see(report.existed() ? "closed" : "not closed");
    }
    onEnd.accept(flight);
  }

  /** A rank's process ends, and with it its turns; another begins in its place. */
  void crash(WorkerRank rank) {
    workers.crash(rank);
    lives.keySet().removeIf(life -> life.rank().equals(rank));
    trees.crashed(rank);
    for (Flight flight : List.copyOf(flights)) {
      if (flight.isOn(rank)) {
        finish(flight, TurnOutcome.FAILED);
      }
    }
  }

  /** A rank's engine dies, and the rank leaves before its turns hear of it. */
  void die(WorkerRank rank) {
    router.removeRank(rank);
    crash(rank);
  }

  /**
   * Another router takes this one's place, over the same ranks.
   *
   * @param forgets whether bindings and transcripts are gone, and turns that have begun with them
   */
  void restart(boolean forgets) {
    List<WorkerRank> live = router.stats().ranks().stream().map(RankStats::rank).toList();
    router.close();
    if (forgets) {
      for (Flight flight : flights) {
        if (flight.answer != null) {
          cancel(flight);
          SteppedTrees.over(flight);
        }
      }
      flights.clear();
      transcripts.clear();
      store.close();
      store = new MemoryAffinityStore(clock, entries);
    }
    router = newRouter();
    live.forEach(this::join);
  }

  /** Answers a turn that was answered before: it takes its place in the line, and no rank. */
  void repeat(int name, TurnIntent intent) throws InterruptedException {
    Optional<BindingView> before = router.binding(id(name));
    try (TurnGuard guard = router.begin(intent)) {
      Conversation transcript = transcripts.get(name);
      Optional<Incarnation> life = guard.incarnation();
      if (transcript != null
          && guard.reason() == NoSession.NONE
          && life.filter(transcript.life::equals).isPresent()) {
        var _ = guard.finish(TurnOutcome.COMPLETED);
        assertThat(router.binding(id(name)).map(BindingView::incarnation)).isEqualTo(life);
        assertThat(before.map(BindingView::incarnation)).isEqualTo(life);
        see("repeated");
      }
    } catch (FaultException e) {
      see(e.fault());
    }
  }

  /** A rank leaves the fleet, or joins it with what it holds. */
  void leaveOrJoin(WorkerRank rank) {
    boolean live = router.stats().ranks().stream().anyMatch(known -> known.rank().equals(rank));
    if (live) {
      router.removeRank(rank);
    } else {
      join(rank);
    }
  }

  private void join(WorkerRank rank) {
    router.addRank(rank, new RankCapacity(pages, 4));
    workers.rank(rank).resident().forEach(event -> router.onKvEvent(rank, event));
  }

  /** Hears that a rank has a session. */
  private void opened(WorkerRank rank, SessionSettings settings) {
    Incarnation life = settings.incarnation();
    if (settings.kind() == SessionKind.REGULAR) {
      trees.opened(new SteppedWorkers.Life(rank, life));
      return;
    }
    Conversation parent =
        settings
            .parent()
            .filter(Parent::shares)
            .map(of -> lives.get(new SteppedWorkers.Life(rank, of.incarnation())))
            .orElseGet(() -> new Conversation(life));
    lives.putIfAbsent(new SteppedWorkers.Life(rank, life), parent.fork(life));
  }

  void see(Fault fault) {
    switch (fault) {
      case Fault.Conflict conflict -> see("fault " + conflict.code());
      case Fault.NotFound unknown -> see("fault " + unknown.code());
      default -> see("fault " + fault.getClass().getSimpleName());
    }
  }

  void see(String what) {
    see(what, 1);
  }

  void see(String what, long times) {
    if (times > 0) {
      seen.merge(what, (int) times, Integer::sum);
    }
  }

  static SessionId id(int name) {
    return new SessionId(Tenant.DEFAULT, "s" + name);
  }
}
