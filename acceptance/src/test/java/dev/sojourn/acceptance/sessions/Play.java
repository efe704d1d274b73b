package dev.sojourn.acceptance.sessions;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * Random operations of a kind. Each script of them is played on a stage of its own; one that fails
 * is shrunk to a short script, which is printed. {@code -Dsojourn.script=FILE} plays a script.
 *
 * @param ops the sealed interface of the operations that there are
 * @param length operations of a script
 * @param mostRuns the most trials that shrinking takes
 */
record Play<O>(Class<O> ops, Function<Random, O> draw, Begin<O> begin, int length, int mostRuns) {

  /** What operations change. */
  interface Stage<O> extends AutoCloseable {

    /** Does one operation, and checks everything after it. */
    void apply(O op) throws Exception;

    /** Ends all that goes on, and checks that nobody holds anything. */
    void end() throws Exception;

    /** Returns how often what was seen: a test that never gets there would prove nothing. */
    Map<String, Integer> seen();

    @Override
    void close();
  }

  /** Begins a script. */
  interface Begin<O> {

    /** Returns the stage that a seed shapes. */
    Stage<O> stage(long seed) throws Exception;
  }

  /**
   * Plays random scripts of so many operations together, each kind of which has to come up.
   *
   * @return how often what was seen
   */
  Map<String, Integer> random(int operations) {
    Map<String, Integer> seen = new TreeMap<>();
    for (long seed = 0; seed < operations / length; seed++) {
      Script<O> script = Script.draw(seed, length, draw);
      Optional<Throwable> failure = play(script, seen);
      if (failure.isPresent()) {
        Script.Shrunk<O> least =
            script.shrink(shorter -> play(shorter, new TreeMap<>()), failure.get(), mostRuns);
        throw new AssertionError(
            "play this with -Dsojourn.script=FILE:\n" + least.script().written(), least.failure());
      }
    }
    assertThat(seen)
        .containsKeys(
            Stream.of(ops.getPermittedSubclasses())
                .map(kind -> "op " + kind.getSimpleName())
                .toArray(String[]::new));
    return seen;
  }

  /** Returns the scripts in a directory, or the one that was asked for. */
  static List<Path> scripts(Path directory) throws IOException {
    String chosen = System.getProperty("sojourn.script");
    if (chosen != null) {
      return List.of(Path.of(chosen));
    }
    try (Stream<Path> files = Files.list(directory)) {
      return files.sorted().toList();
    }
  }

  /** Plays a script that was written down. */
  void again(Path file) throws Throwable {
    Optional<Throwable> failure = play(Script.read(ops, Files.readAllLines(file)), new TreeMap<>());
    if (failure.isPresent()) {
      throw failure.get();
    }
  }

  /** Plays a script; returns what went wrong, if anything did. */
  private Optional<Throwable> play(Script<O> script, Map<String, Integer> seen) {
    try (Stage<O> stage = begin.stage(script.seed())) {
      for (O op : script.ops()) {
        stage.apply(op);
      }
      stage.end();
      stage.seen().forEach((what, times) -> seen.merge(what, times, Integer::sum));
      return Optional.empty();
    } catch (Exception | AssertionError e) {
      if (e instanceof InterruptedException) {
        Thread.currentThread().interrupt();
      }
      return Optional.of(e);
    }
  }
}
