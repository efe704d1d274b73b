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
    long allocated = Long.MAX_VALUE;
    for (int window = 0; window < WINDOWS && allocated > 0; window++) {
      long before = THREADS.getCurrentThreadAllocatedBytes();
      for (int i = 0; i < WINDOW; i++) {
        work.run();
      }
      allocated = THREADS.getCurrentThreadAllocatedBytes() - before;
    }
    assertThat(allocated).as("bytes that %d times %s allocate", WINDOW, what).isZero();
  }
}
