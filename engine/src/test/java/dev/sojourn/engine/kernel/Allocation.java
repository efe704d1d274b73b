package dev.sojourn.engine.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;

/**
 * Asserts that work allocates nothing once it is compiled. (Until then each vector is an object.)
 */
public final class Allocation {

  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  /** Repetitions that are measured together. */
  private static final int WINDOW = 100;

  /** Windows until it must be compiled; far more than it takes. */
  private static final int WINDOWS = 3_000;

  private Allocation() {}

  /** Repeats the work until a hundred repetitions allocate nothing; fails if they never do. */
  public static void assertCeases(String what, Runnable work) {
    assertCeases(what, WINDOW, work);
  }

  /**
   * Repeats the work until so many repetitions allocate nothing, on this thread and on those of
   * compute pools; fails if they never do.
   */
  public static void assertCeases(String what, int repetitions, Runnable work) {
    long[] computing =
        Thread.getAllStackTraces().keySet().stream()
            .filter(thread -> thread.getName().startsWith("sojourn-compute-"))
            .mapToLong(Thread::threadId)
            .toArray();
    long allocated = Long.MAX_VALUE;
    for (int window = 0; window < WINDOWS && allocated > 0; window++) {
      long[] others = THREADS.getThreadAllocatedBytes(computing);
      long before = THREADS.getCurrentThreadAllocatedBytes();
      for (int i = 0; i < repetitions; i++) {
        work.run();
      }
      allocated = THREADS.getCurrentThreadAllocatedBytes() - before;
      allocated += growth(others, THREADS.getThreadAllocatedBytes(computing));
    }
    assertThat(allocated).as("bytes that %d times %s allocate", repetitions, what).isZero();
  }

  /**
   * Of threads that have ended, as those of other tests' pools do some time after these, -1 is
   * told.
   */
  private static long growth(long[] before, long[] after) {
    long growth = 0;
    for (int i = 0; i < before.length; i++) {
      growth += after[i] < 0 ? 0 : after[i] - before[i];
    }
    return growth;
  }
}
