package dev.sojourn.engine.model;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Pattern;
import javax.management.JMException;
import javax.management.MBeanServer;
import javax.management.ObjectName;

/**
 * Asks HotSpot what it is compiling, and what waits to be compiled: the diagnostic command {@code
 * Compiler.queue}, which takes a fifth of a millisecond. A JVM without that command is never busy.
 */
final class CompileQueue {

  private static final Logger LOG = System.getLogger(CompileQueue.class.getName());

  /** The fourth tier is C2's: {@code 2363 4 dev.sojourn.engine.kernel.OneToken::multiply}. */
  private static final Pattern OURS = Pattern.compile("\\s4\\s+dev\\.sojourn\\.engine\\.");

  private static final Duration PAUSE = Duration.ofMillis(10);

  /** Pauses until we give up: ten seconds and what asking takes. */
  private static final int MOST_PAUSES = 1_000;

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

  private boolean isBusy() {
    try {
      Object queue =
          server.invoke(
              new ObjectName("com.sun.management:type=DiagnosticCommand"),
              "compilerQueue",
              new Object[0],
              new String[0]);
      return OURS.matcher(String.valueOf(queue)).find();
    } catch (JMException e) {
      LOG.log(Level.DEBUG, "this JVM does not tell what it compiles", e);
      return false;
    }
  }
}
