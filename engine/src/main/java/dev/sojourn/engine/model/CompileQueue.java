package dev.sojourn.engine.model;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import javax.management.JMException;
import javax.management.MBeanServer;
import javax.management.ObjectName;

/**
 * Asks HotSpot what it is compiling, and what waits to be compiled: the diagnostic command {@code
 * Compiler.queue}, which takes a fifth of a millisecond. A JVM without that command is never busy.
 */
final class CompileQueue {

  private static final Logger LOG = System.getLogger(CompileQueue.class.getName());

  private static final String OURS = " dev.sojourn.engine.";

  private static final Duration PAUSE = Duration.ofMillis(5);

  /** Pauses until we give up: ten seconds and what asking takes. */
  private static final int MOST_PAUSES = 2_000;

  private final MBeanServer server = ManagementFactory.getPlatformMBeanServer();

  /**
   * Waits, some ten seconds at most, until C2 neither compiles anything of the engine nor is going
   * to; returns whether there was something.
   */
  boolean drain() {
    int pauses = 0;
    while (pauses < MOST_PAUSES && isBusy()) {
      LockSupport.parkNanos(PAUSE.toNanos());
      pauses++;
    }
    return pauses > 0;
  }

  /**
   * Looks for methods of ours in the fourth tier, which is C2's: {@code 2363 4
   * dev.sojourn.engine.kernel.OneToken::multiply}.
   */
  static boolean hasOurs(String queue) {
    for (int at = queue.indexOf(OURS); at >= 0; at = queue.indexOf(OURS, at + 1)) {
      int tier = at;
      while (tier > 0 && queue.charAt(tier) == ' ') {
        tier--;
      }
      if (queue.charAt(tier) == '4') {
        return true;
      }
    }
    return false;
  }

  private boolean isBusy() {
    try {
      Object queue =
          server.invoke(
              new ObjectName("com.sun.management:type=DiagnosticCommand"),
              "compilerQueue",
              new Object[0],
              new String[0]);
      return hasOurs(String.valueOf(queue));
    } catch (JMException e) {
      LOG.log(Level.DEBUG, "this JVM does not tell what it compiles", e);
      return false;
    }
  }
}
