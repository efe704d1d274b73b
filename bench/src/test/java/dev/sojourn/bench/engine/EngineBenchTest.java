package dev.sojourn.bench.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;

import dev.sojourn.bench.engine.EngineReport.Cold;
import dev.sojourn.bench.engine.EngineReport.Machine;
import dev.sojourn.bench.engine.EngineReport.Measured;
import dev.sojourn.bench.engine.EngineReport.Missing;
import dev.sojourn.bench.engine.EngineReport.Result;
import dev.sojourn.core.Clock;
import dev.sojourn.engine.model.LoadOptions;
import dev.sojourn.engine.weights.Progress;
import dev.sojourn.engine.weights.SyntheticModel;
import dev.sojourn.engine.weights.TensorType;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Sides are shell scripts that speak as {@link SideProcess} says, or do not. */
class EngineBenchTest {

  private static final String START = "echo loaded; echo ready slow and steady; ";

  /** Takes 10 ms for each prompt, and 1 ms for each step. */
  private static final Side STEADY =
      side(
          "steady",
          START
              + "while read what a b c; do"
              + " echo chatter; if [ $what = prefill ]; then echo ok 10; else echo ok $c; fi; done");

  private static final List<Point> POINTS =
      List.of(new Point.Prefill(32), new Point.Prefill(8192), new Point.Decode(4, 128));

  @TempDir Path directory;

  /** A clock that moves on by itself whenever it is read. */
  private static final class Ticking implements Clock {

    private final long tick;
    private long nanos;

    private Ticking(long tick) {
      this.tick = tick;
    }

    static Ticking seconds(long tick) {
      return new Ticking(tick * 1_000_000_000);
    }

    @Override
    public long nanos() {
      nanos += tick;
      return nanos;
    }

    @Override
    public Instant now() {
      return Instant.EPOCH;
    }

    @Override
    public void pause(Duration time) {
      nanos += time.toNanos();
    }
  }

  @Test
  void run_sideThatAnswers_hasTokensPerSecondOfEachPoint() throws Exception {
    EngineReport report = run(Ticking.seconds(0), 180, STEADY, STEADY);
    assertThat(median(report, 0, 0)).isEqualTo(3200, offset(1e-6));
    assertThat(median(report, 1, 0)).isEqualTo(819_200, offset(1e-6));
    assertThat(median(report, 2, 0)).isEqualTo(4000, offset(1e-6));
    assertThat(((Measured) report.rows().get(2).results().get(1)).rounds()).hasSize(3);
    assertThat(report.rows().get(2).ratio(1)).hasValue(1);
    assertThat(report.starts().getFirst().setup()).isEqualTo("slow and steady");
  }

  @Test
  void run_sideThatCrashes_isNamedWithItsLastWords_andTheOthersGoOn() throws Exception {
    Side crashes =
        side("crashes", START + "read a; echo ok 10; read a; echo out of luck >&2; exit 3");
    EngineReport report = run(Ticking.seconds(0), 180, STEADY, crashes);
    for (int row = 0; row < 3; row++) {
      assertThat(report.rows().get(row).results().get(1))
          .isEqualTo(new Missing("ended with exit code 3: out of luck"));
      assertThat(report.rows().get(row).results().getFirst()).isInstanceOf(Measured.class);
    }
    assertThat(report.rows().getFirst().ratio(1)).isEmpty();
  }

  @Test
  void run_sideThatDoesNotStart_isNamed() throws Exception {
    Side refuses = side("refuses", "echo error there is no such model");
    Side missing = new Side("missing", List.of("/no/such/program"), false);
    EngineReport report = run(Ticking.seconds(0), 180, STEADY, refuses, missing);
    assertThat(report.starts().get(1).loadMillis())
        .isEqualTo(new Missing("there is no such model"));
    assertThat(report.rows().getFirst().results().get(1))
        .isEqualTo(new Missing("there is no such model"));
    assertThat(report.rows().getFirst().results().get(2).toString())
        .contains("cannot be started", "/no/such/program");
  }

  @Test
  void start_ofAProgramThatIsNotThere_leavesNoFileBehind() {
    Side missing = new Side("missing", List.of("/no/such/program"), false);
    assertThatThrownBy(() -> new SideProcess(missing, Duration.ofMinutes(5), directory))
        .isInstanceOf(SideException.class)
        .hasMessageContaining("/no/such/program");
    assertThat(directory).isEmptyDirectory();
  }

  @Test
  void close_ofASide_deletesTheFileOfItsErrors() throws Exception {
    SideProcess process = new SideProcess(STEADY, Duration.ofMinutes(5), directory);
    assertThat(directory).isNotEmptyDirectory();
    process.close();
    assertThat(directory).isEmptyDirectory();
  }

  @Test
  void run_sideThatNeverAnswers_isEnded() throws Exception {
    Side hangs = side("hangs", "exec cat");
    EngineReport report =
        bench(Ticking.seconds(0), 180, Duration.ofDays(1), Duration.ofMillis(20), hangs);
    assertThat(report.rows().getFirst().results())
        .containsExactly(new Missing("no answer within 20 ms"));
  }

  @Test
  void run_pointThatASideRefuses_isMissingAlone() throws Exception {
    Side single =
        side(
            "single",
            START
                + "while read what a b c; do"
                + " if [ $what = decode ]; then echo error one at a time; else echo ok 5; fi; done");
    EngineReport report = run(Ticking.seconds(0), 180, single);
    assertThat(report.rows().get(2).results()).containsExactly(new Missing("one at a time"));
    assertThat(median(report, 1, 0)).isPositive();
  }

  @Test
  void run_answerThatIsNoTime_isNotTaken() throws Exception {
    Side jokes = side("jokes", START + "while read a; do echo ok soon; done");
    assertThat(run(Ticking.seconds(0), 180, jokes).rows().getFirst().results())
        .containsExactly(new Missing("answered 'prefill 32' with 'ok soon'"));
  }

  @Test
  void run_roundsThatTakeTooLong_areFewer() throws Exception {
    // The clock says that each answer took 100 s.
    EngineReport slow = run(Ticking.seconds(100), 180, STEADY);
    assertThat(slow.rows().getFirst().results().getFirst())
        .isInstanceOfSatisfying(
            Cold.class, it -> assertThat(it.speed()).isEqualTo(3200, offset(1e-6)));
    assertThat(slow.rows().getFirst().share()).isEmpty();
    Result faster = run(Ticking.seconds(100), 301, STEADY).rows().getFirst().results().getFirst();
    assertThat(((Measured) faster).rounds()).hasSize(2);
  }

  @Test
  void run_pointThatWouldTakeTooLong_isSkipped() throws Exception {
    Side slow = side("slow", START + "while read what a b c; do echo ok 1000; done");
    EngineReport report = run(Ticking.seconds(0), 180, slow);
    assertThat(report.rows().get(1).results())
        .containsExactly(new Missing("skipped: would take about 256 s, and the limit is 180 s"));
    assertThat(median(report, 2, 0)).isPositive();
  }

  @Test
  void run_whoseTimeIsOver_skipsThePointsThatAreLeft() throws Exception {
    // The clock says that each answer took 100 s, and so did each step of the start.
    EngineReport report =
        bench(Ticking.seconds(100), 180, Duration.ofMinutes(16), Duration.ofMinutes(5), STEADY);
    assertThat(report.rows().get(1).results().getFirst()).isInstanceOf(Cold.class);
    assertThat(report.rows().get(2).results())
        .containsExactly(new Missing("skipped: the run's 16 minutes were over"));
  }

  private static double median(EngineReport report, int row, int side) {
    return ((Measured) report.rows().get(row).results().get(side)).median();
  }

  private static Side side(String name, String script) {
    return new Side(name, List.of("sh", "-c", script), false);
  }

  private EngineReport run(Clock clock, int limit, Side... sides) throws Exception {
    return bench(clock, limit, Duration.ofDays(1), Duration.ofMinutes(5), sides);
  }

  private EngineReport bench(
      Clock clock, int limit, Duration total, Duration patience, Side... sides) throws Exception {
    Path model = directory.resolve("m.gguf");
    SyntheticModel.Spec spec =
        new SyntheticModel.Spec(
            SyntheticModel.Architecture.LLAMA, 1, 32, 32, 1, 1, 32, 300, TensorType.F32, 16_384);
    SyntheticModel.write(model, spec, 1, Progress.NONE);
    EngineBench.Plan plan =
        new EngineBench.Plan(POINTS, 3, 1, Duration.ofSeconds(limit), total, patience);
    List<String> heard = new ArrayList<>();
    EngineReport report =
        new EngineBench(model, LoadOptions.defaults(), List.of(sides), plan, clock)
            .run(new Machine(1e10, 1e11), heard::add);
    assertThat(heard).hasSize(sides.length + POINTS.size());
    return report;
  }
}
