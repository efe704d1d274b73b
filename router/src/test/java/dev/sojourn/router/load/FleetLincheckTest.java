package dev.sojourn.router.load;

import static org.jetbrains.lincheck.datastructures.ManagedStrategyGuaranteeKt.forClasses;

import dev.sojourn.core.KvEvent;
import dev.sojourn.core.Tokens;
import dev.sojourn.core.WorkerId;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.index.PrefixIndex;
import dev.sojourn.router.lifecycle.Presence;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jetbrains.kotlinx.lincheck.Actor;
import org.jetbrains.kotlinx.lincheck.execution.ExecutionScenario;
import org.jetbrains.lincheck.datastructures.IntGen;
import org.jetbrains.lincheck.datastructures.ModelCheckingOptions;
import org.jetbrains.lincheck.datastructures.Operation;
import org.jetbrains.lincheck.datastructures.Param;
import org.junit.jupiter.api.Test;

/**
 * Ranks that come and go while others look, in the interleavings that Lincheck enumerates: what
 * each is told must follow from some order of the calls. What the index does at once, under locks
 * of its own, is no matter here.
 */
@Param(name = "rank", gen = IntGen.class, conf = "0:1")
public class FleetLincheckTest {

  private static final int INTERLEAVINGS = Integer.getInteger("sojourn.lincheck.interleavings", 20);
  private static final KvEvent.Stored STORED =
      new KvEvent.Stored(
          7,
          OptionalLong.empty(),
          0,
          Tokens.of(IntStream.range(0, 16).toArray()),
          Optional.empty());

  private final PrefixIndex index = new PrefixIndex();
  private final Fleet fleet = new Fleet(index);

  @Test
  void ranksThatComeAndGo_whileOthersLook_areThereOrNotAsOfOneMoment() {
    ModelCheckingOptions options =
        new ModelCheckingOptions()
            .iterations(Integer.getInteger("sojourn.lincheck.iterations", 0)) // at random, beside
            .invocationsPerIteration(INTERLEAVINGS)
            .loopBound(10_000) // the index has more to clear than Lincheck expects of a loop
            .loopIterationsBeforeThreadSwitch(10_000)
            .addGuarantee(
                forClasses(PrefixIndex.Feed.class.getName()).allMethods().treatAsAtomic());
    options.invocationTimeout$lincheck(120_000); // on a busy machine classes load slowly
    races().forEach(options::addCustomScenario);
    options.check(getClass());
  }

  private static List<ExecutionScenario> races() {
    Actor adds = call("add", 0);
    Actor removes = call("remove", 0);
    Actor looks = call("presence", 0);
    List<Actor> empty = List.of();
    List<Actor> there = List.of(adds);
    return List.of(
        race(empty, List.of(looks), List.of(adds)),
        race(there, List.of(looks), List.of(removes)),
        race(there, List.of(looks, call("ranks")), List.of(removes, call("add", 1))),
        race(there, List.of(call("stored", 0)), List.of(removes, call("add", 1))));
  }

  /** Returns calls at the same time, what came before them, and a look at what is left. */
  private static ExecutionScenario race(List<Actor> before, List<Actor> one, List<Actor> other) {
    return new ExecutionScenario(
        before,
        List.of(one, other),
        List.of(call("ranks"), call("held", 0), call("held", 1)),
        null);
  }

  private static Actor call(String operation, Object... arguments) {
    return new Actor(
        Stream.of(FleetLincheckTest.class.getDeclaredMethods())
            .filter(method -> method.getName().equals(operation))
            .findFirst()
            .orElseThrow(),
        List.of(arguments));
  }

  @Operation
  public boolean add(@Param(name = "rank") int rank) {
    try {
      fleet.add(id(rank), 8, 4);
      return true;
    } catch (IllegalArgumentException e) {
      return false;
    }
  }

  @Operation
  public void remove(@Param(name = "rank") int rank) {
    fleet.remove(id(rank));
  }

  @Operation
  public Presence presence(@Param(name = "rank") int rank) {
    return fleet.presence(id(rank));
  }

  @Operation
  public String ranks() {
    return fleet.ranks().stream()
        .map(rank -> rank.id().rank() + " in slot " + rank.slot())
        .collect(Collectors.joining(", "));
  }

  /** The rank tells that it holds a block, if it is there. */
  @Operation
  public void stored(@Param(name = "rank") int rank) {
    fleet.find(id(rank)).ifPresent(known -> known.feed().apply(STORED));
  }

  /**
   * Returns how many blocks a rank is known to hold; -1 of one that is not there. For the looks
   * behind a race only, and so no operation: it asks fleet and index one after the other.
   */
  public int held(@Param(name = "rank") int rank) {
    int[] overlaps = index.overlaps(new long[] {STORED.hash()}, fleet.slots());
    return fleet.find(id(rank)).map(known -> overlaps[known.slot()]).orElse(-1);
  }

  private static WorkerRank id(int rank) {
    return new WorkerRank(new WorkerId("w"), rank);
  }
}
