package dev.sojourn.acceptance.sessions;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What happens in a world: the seed that shapes it, and the operations.
 *
 * <p>Written down, it is a line {@code world SEED} and then one operation a line.
 *
 * @param <O> what operations there are
 */
record Script<O>(long seed, List<O> ops) {

  Script {
    ops = List.copyOf(ops);
  }

  /** Draws a script. */
  static <O> Script<O> draw(long seed, int length, Function<Random, ? extends O> op) {
    Random random = new Random(seed);
    return new Script<>(seed, Stream.<O>generate(() -> op.apply(random)).limit(length).toList());
  }

  /** Reads what {@link #written} wrote; empty lines and those that begin with # do not count. */
  static <O> Script<O> read(Class<O> ops, List<String> lines) {
    List<String> told =
        lines.stream().map(String::strip).filter(l -> !l.isEmpty() && !l.startsWith("#")).toList();
    return new Script<>(
        Long.parseLong(told.getFirst().substring("world ".length())),
        told.stream().skip(1).map(line -> Line.read(ops, line)).toList());
  }

  /** Writes it down. */
  String written() {
    return "world " + seed + "\n" + ops.stream().map(Line::of).collect(Collectors.joining("\n"));
  }

  /** What a script runs into. */
  interface Trial<O> {

    /** Returns what went wrong, if anything did. */
    Optional<Throwable> failure(Script<O> script);
  }

  /**
   * Leaves out what a failure does not need: halves first, then smaller runs of operations, down to
   * single ones (Zeller's ddmin).
   *
   * @param mostRuns the most trials that it takes
   * @return a script that fails too, and how
   */
  Shrunk<O> shrink(Trial<O> trial, Throwable failure, int mostRuns) {
    Shrunk<O> least = new Shrunk<>(this, failure);
    int runs = 0;
    for (int size = Math.max(1, ops.size() / 2); size >= 1; size /= 2) {
      boolean again = true;
      while (again) {
        again = false;
        for (int from = 0; from < least.script().ops().size() && runs < mostRuns; runs++) {
          Script<O> without = least.script().without(from, size);
          @Nullable Throwable other = trial.failure(without).orElse(null);
          if (other == null) {
            from += size;
          } else {
            least = new Shrunk<>(without, other);
            again = size == 1;
          }
        }
      }
    }
    return least;
  }

  /** A script that fails, and how. */
  record Shrunk<O>(Script<O> script, Throwable failure) {}

  private Script<O> without(int from, int count) {
    List<O> left = new ArrayList<>(ops.subList(0, from));
    left.addAll(ops.subList(Math.min(ops.size(), from + count), ops.size()));
    return new Script<>(seed, left);
  }
}
