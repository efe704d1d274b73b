package dev.sojourn.acceptance.sessions;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What happens in a {@link World}: the seed that shapes it, and the operations.
 *
 * <p>Written down, it is a line {@code world SEED} and then one operation a line.
 */
record Script(long seed, List<Op> ops) {

  /** The most runs that shrinking takes. */
  private static final int MOST_RUNS = 2000;

  Script {
    ops = List.copyOf(ops);
  }

  /** Draws a script. */
  static Script draw(long seed, int length) {
    Random random = new Random(seed);
    return new Script(seed, Stream.generate(() -> Op.draw(random)).limit(length).toList());
  }

  /** Reads what {@link #written} wrote; empty lines and those that begin with # do not count. */
  static Script read(List<String> lines) {
    List<String> told =
        lines.stream().map(String::strip).filter(l -> !l.isEmpty() && !l.startsWith("#")).toList();
    return new Script(
        Long.parseLong(told.getFirst().substring("world ".length())),
        told.stream().skip(1).map(Op::read).toList());
  }

  /** Writes it down. */
  String written() {
    return "world " + seed + "\n" + ops.stream().map(Op::written).collect(Collectors.joining("\n"));
  }

  /** What a script runs into. */
  interface Trial {

    /** Returns what went wrong, if anything did. */
    Optional<Throwable> failure(Script script);
  }

  /**
   * Leaves out what a failure does not need: halves first, then smaller runs of operations, down to
   * single ones (Zeller's ddmin).
   *
   * @return a script that fails too, and how
   */
  Shrunk shrink(Trial trial, Throwable failure) {
    Shrunk least = new Shrunk(this, failure);
    int runs = 0;
    for (int size = Math.max(1, ops.size() / 2); size >= 1; size /= 2) {
      boolean again = true;
      while (again) {
        again = false;
        for (int from = 0; from < least.script().ops().size() && runs < MOST_RUNS; runs++) {
          Script without = least.script().without(from, size);
          @Nullable Throwable other = trial.failure(without).orElse(null);
          if (other == null) {
            from += size;
          } else {
            least = new Shrunk(without, other);
            again = size == 1;
          }
        }
      }
    }
    return least;
  }

  /** A script that fails, and how. */
  record Shrunk(Script script, Throwable failure) {}

  private Script without(int from, int count) {
    List<Op> left = new ArrayList<>(ops.subList(0, from));
    left.addAll(ops.subList(Math.min(ops.size(), from + count), ops.size()));
    return new Script(seed, left);
  }
}
