package dev.sojourn.router.affinity;

import dev.sojourn.core.Incarnation;
import dev.sojourn.core.ManualClock;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionKind;
import dev.sojourn.core.Tenant;
import dev.sojourn.core.WorkerId;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.affinity.AffinityStore.Initialised;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.Stream;
import org.jetbrains.kotlinx.lincheck.Actor;
import org.jetbrains.kotlinx.lincheck.execution.ExecutionScenario;
import org.jetbrains.lincheck.datastructures.IntGen;
import org.jetbrains.lincheck.datastructures.ModelCheckingOptions;
import org.jetbrains.lincheck.datastructures.Operation;
import org.jetbrains.lincheck.datastructures.Param;
import org.junit.jupiter.api.Test;

/**
 * Interleavings of the operations on one name, as Lincheck enumerates them: whatever two gateways
 * do at the same time, what each of them is told must follow from some order of the calls. One name
 * alone: operations are atomic for a name, and names share the counter of revisions.
 *
 * <p>The races that could go wrong are written down; {@code -Dsojourn.lincheck.iterations=N} adds
 * some at random.
 */
@Param(name = "revision", gen = IntGen.class, conf = "2:4")
@Param(name = "who", gen = IntGen.class, conf = "1:2")
public class MemoryAffinityStoreLincheckTest {

  private static final int INTERLEAVINGS = Integer.getInteger("sojourn.lincheck.interleavings", 20);
  private static final SessionId ID = new SessionId(Tenant.DEFAULT, "s");
  private static final Duration TIMEOUT = Duration.ofNanos(10);
  private static final Terms TERMS =
      new Terms(
          Terms.Kind.ENGINE_BACKED,
          TIMEOUT,
          OptionalInt.empty(),
          OnClose.FREE,
          Optional.empty(),
          false,
          SessionKind.CONVERSATION);

  private final ManualClock clock = new ManualClock();
  private final MemoryAffinityStore store = new MemoryAffinityStore(clock, 1);

  /** Begins where most can happen: bound, with revision 2, and idle. */
  public MemoryAffinityStoreLincheckTest() {
    store.initialise(ID, new Incarnation(1), TERMS, lease(1));
    store.commit(ID, 1, rank(0));
    store.release(ID, lease(1));
  }

  @Test
  void twoCallsOnOneNameAtOnce_haveASequentialExplanation() {
    ModelCheckingOptions options =
        new ModelCheckingOptions()
            .iterations(Integer.getInteger("sojourn.lincheck.iterations", 0)) // at random, beside
            .invocationsPerIteration(INTERLEAVINGS);
    options.invocationTimeout$lincheck(120_000); // on a busy machine classes load slowly
    races().forEach(options::addCustomScenario);
    options.check(getClass());
  }

  private static List<ExecutionScenario> races() {
    Actor acquire = call("acquire", 2, 2);
    Actor remove = call("remove", 2);
    Actor repin = call("repin", 2, 2);
    Actor release = call("release", 1);
    Actor claim = call("claimExpired", 2);
    Actor commit = call("commit", 3);
    Actor adopt = call("adopt", 1);
    Actor extend = call("extend", 2);
    List<Actor> idle = List.of();
    List<Actor> held = List.of(call("acquire", 2, 1));
    List<Actor> expired = List.of(call("timePasses"));
    List<Actor> vacant = List.of(remove);
    List<Actor> opening = List.of(remove, call("initialise", 1));
    return List.of(
        race(idle, acquire, call("acquire", 2, 1)),
        race(idle, acquire, remove),
        race(idle, acquire, call("removeIdle", 2)),
        race(idle, acquire, repin),
        race(idle, repin, call("repin", 2, 1)),
        race(idle, remove, repin),
        race(idle, acquire, call("timePasses")),
        race(held, release, acquire),
        race(held, release, repin),
        race(held, release, remove),
        race(held, release, call("dropOwner", 1)),
        race(expired, claim, claim),
        race(expired, claim, acquire),
        race(expired, claim, call("expired")),
        race(idle, extend, acquire),
        race(idle, extend, claim),
        race(held, release, extend),
        race(expired, claim, adopt),
        race(vacant, adopt, call("adopt", 2)),
        race(vacant, adopt, call("initialise", 2)),
        race(vacant, call("initialise", 1), call("initialise", 2)),
        race(opening, commit, call("dropOwner", 1)),
        race(opening, commit, call("initialise", 2)));
  }

  /** Returns two calls at the same time, what came before them, and a look at what is left. */
  private static ExecutionScenario race(List<Actor> before, Actor one, Actor other) {
    return new ExecutionScenario(
        before,
        List.of(List.of(one), List.of(other)),
        List.of(call("peek"), call("timePasses"), call("expired")),
        null);
  }

  private static Actor call(String operation, Object... arguments) {
    return new Actor(
        Stream.of(MemoryAffinityStoreLincheckTest.class.getDeclaredMethods())
            .filter(method -> method.getName().equals(operation))
            .findFirst()
            .orElseThrow(),
        List.of(arguments));
  }

  @Operation
  public String initialise(@Param(name = "who") int who) {
    return switch (store.initialise(ID, new Incarnation(who), TERMS, lease(who))) {
      case Initialised.Won won -> "won " + won.opening().revision();
      case Initialised.Present present -> "present " + told(present.binding());
      case Initialised.Full _ -> "full";
    };
  }

  @Operation
  public String commit(@Param(name = "revision") int revision) {
    return told(store.commit(ID, revision, rank(0)));
  }

  @Operation
  public boolean adopt(@Param(name = "who") int who) {
    return store.adopt(ID, new Incarnation(20 + who), TERMS, rank(who), TIMEOUT.multipliedBy(2));
  }

  @Operation
  public String extend(@Param(name = "revision") int revision) {
    return told(store.extend(ID, revision, TIMEOUT.multipliedBy(3)));
  }

  @Operation
  public String acquire(@Param(name = "revision") int revision, @Param(name = "who") int who) {
    return told(store.acquire(ID, revision, lease(who)));
  }

  @Operation
  public boolean release(@Param(name = "who") int who) {
    return store.release(ID, lease(who));
  }

  @Operation
  public String peek() {
    return told(store.peek(ID));
  }

  @Operation
  public String repin(@Param(name = "revision") int revision, @Param(name = "who") int who) {
    return told(store.repin(ID, revision, rank(who), new Incarnation(10 + who)));
  }

  @Operation
  public boolean remove(@Param(name = "revision") int revision) {
    return store.remove(ID, revision);
  }

  @Operation
  public boolean removeIdle(@Param(name = "revision") int revision) {
    return store.removeIdle(ID, revision);
  }

  @Operation
  public String claimExpired(@Param(name = "revision") int revision) {
    return told(store.claimExpired(ID, revision));
  }

  @Operation
  public String expired() {
    List<AffinityStore.Entry> due = store.expired(8);
    return due.isEmpty() ? "none" : told(due.getFirst().binding());
  }

  @Operation
  public void dropOwner(@Param(name = "who") int who) {
    store.dropOwner(new OwnerEpoch(who));
  }

  @Operation
  public void timePasses() {
    clock.advance(TIMEOUT);
  }

  private static String told(Optional<Binding.Bound> bound) {
    return bound.map(MemoryAffinityStoreLincheckTest::told).orElse("no");
  }

  private static String told(Binding binding) {
    return switch (binding) {
      case Binding.Vacant _ -> "vacant";
      case Binding.Opening opening ->
          "opening " + opening.revision() + " by " + opening.opener().number();
      case Binding.Bound bound ->
          "bound "
              + bound.revision()
              + " to "
              + bound.target().rank()
              + ", held by "
              + bound.leases().stream().mapToLong(Lease::number).sorted().boxed().toList();
    };
  }

  private static Lease lease(int who) {
    return new Lease(new OwnerEpoch(who), who, "r" + who);
  }

  private static WorkerRank rank(int rank) {
    return new WorkerRank(new WorkerId("w"), rank);
  }
}
