package dev.sojourn.engine.model;

import dev.sojourn.core.Clock;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Supplier;
import javax.management.JMException;
import javax.management.ObjectName;

/**
 * Asks HotSpot what it is compiling, and what waits to be compiled: the diagnostic command {@code
 * Compiler.queue}, which takes a fifth of a millisecond. A JVM without that command is never busy.
 *
 * <p>Waits for C2 no longer than {@link #PATIENCE} in all, then warns and never waits again. Used
 * by one thread at a time; {@link #stop} is for others.
 */
final class CompileQueue {

  /**
   * Ten times what C2 computes in a whole warm-up, for where the processors are busy with others.
   * Where that is not enough, a server that is slow at first is worth more than none.
   */
  static final Duration PATIENCE = Duration.ofMinutes(2);

  private static final Logger LOG = System.getLogger(CompileQueue.class.getName());

  private static final String OURS = " dev.sojourn.engine.";

  private static final Duration PAUSE = Duration.ofMillis(5);

  /** Methods that a warning names. */
  private static final int NAMED = 8;

  private final Clock clock;
  private final Supplier<String> queue;
  private final Consumer<String> warnings;
  private long waited; // nanoseconds
  private volatile boolean stopped;

  CompileQueue(Clock clock) {
    this(clock, CompileQueue::ask, warning -> LOG.log(Level.WARNING, warning));
  }

  CompileQueue(Clock clock, Supplier<String> queue, Consumer<String> warnings) {
    this.clock = clock;
    this.queue = queue;
    this.warnings = warnings;
  }

  /**
   * Waits until C2 neither compiles anything of the engine nor is going to, or patience ends;
   * returns whether there was something. There never is after patience ended.
   */
  boolean drain() {
    boolean busy = false;
    while (!stopped) {
      List<String> left = ours(queue.get());
      if (left.isEmpty()) {
        break;
      }
      busy = true;
      if (waited >= PATIENCE.toNanos()) {
        stop();
        warnings.accept(warning(left));
        break;
      }
      long start = clock.nanos();
      clock.pause(PAUSE);
      waited += clock.nanos() - start;
    }
    return busy;
  }

  /** Ends waiting, now and later. */
  void stop() {
    stopped = true;
  }

  private static String warning(List<String> left) {
    return "warming up waited %d seconds for the JVM's compiler and goes on; the first requests may"
            .formatted(PATIENCE.toSeconds())
        + " be slow, as some methods are not compiled yet (%d): %s%s"
            .formatted(
                left.size(),
                String.join(", ", left.subList(0, Math.min(NAMED, left.size()))),
                left.size() > NAMED ? ", ..." : "");
  }

  /**
   * Returns the methods of ours in the fourth tier, which is C2's: {@code 2363 4
   * dev.sojourn.engine.kernel.OneToken::multiply}.
   */
  static List<String> ours(String queue) {
    List<String> methods = new ArrayList<>();
    for (int at = queue.indexOf(OURS); at >= 0; at = queue.indexOf(OURS, at + 1)) {
      int tier = at;
      while (tier > 0 && queue.charAt(tier) == ' ') {
        tier--;
      }
      if (queue.charAt(tier) == '4') {
        methods.add(queue.substring(at + 1).split("\\s", 2)[0]);
      }
    }
    return methods;
  }

  private static String ask() {
    try {
      Object queue =
          ManagementFactory.getPlatformMBeanServer()
              .invoke(
                  new ObjectName("com.sun.management:type=DiagnosticCommand"),
                  "compilerQueue",
                  new Object[0],
                  new String[0]);
      return String.valueOf(queue);
    } catch (JMException e) {
      LOG.log(Level.DEBUG, "this JVM does not tell what it compiles", e);
      return "";
    }
  }
}
