package dev.sojourn.bench;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * What a gateway has spent so far, in nanoseconds of CPU time. The model's is that of the engines'
 * threads inside it: all of it where the model computes on one thread, which is how {@code sojourn
 * bench} starts a gateway of its own.
 */
public sealed interface Meter {

  /** The metric that holds the CPU seconds spent inside the model, one series a rank. */
  String MODEL_SECONDS = "sojourn_engine_model_cpu_seconds_total";

  /** The metric that holds the CPU seconds of a gateway's process. */
  String PROCESS_SECONDS = "process_cpu_seconds_total";

  /** Returns the CPU time of the gateway's process, this benchmark's own included if they share. */
  long processCpuNanos();

  /** Returns the CPU time spent inside the model, by the engines' threads. */
  long modelCpuNanos();

  /** Returns whether the CPU time of the benchmark's own threads is part of the process's. */
  boolean includesClient();

  /** A gateway in this process; the clock of the process has nanoseconds. */
  static Meter inProcess(GatewayClient client) {
    return new InProcess(client);
  }

  /** A gateway elsewhere, read from its metrics. */
  static Meter remote(GatewayClient client) {
    return new Remote(client);
  }

  /** Reads the process's own clock. */
  record InProcess(GatewayClient client) implements Meter {

    private static final int CLOCK_PROCESS_CPUTIME_ID = 2; // Linux, <time.h>
    private static final Linker LINKER = Linker.nativeLinker();
    private static final MethodHandle CLOCK_GETTIME =
        LINKER.downcallHandle(
            LINKER.defaultLookup().findOrThrow("clock_gettime"),
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.ADDRESS));

    @Override
    public long processCpuNanos() {
      // Not the JDK's management bean: it counts in ticks of 10 ms, a turn takes less than one.
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment timespec = arena.allocate(ValueLayout.JAVA_LONG, 2);
        int failed = (int) CLOCK_GETTIME.invokeExact(CLOCK_PROCESS_CPUTIME_ID, timespec);
        if (failed != 0) {
          throw new IllegalStateException("clock_gettime answers " + failed);
        }
        return timespec.getAtIndex(ValueLayout.JAVA_LONG, 0) * 1_000_000_000
            + timespec.getAtIndex(ValueLayout.JAVA_LONG, 1);
      } catch (RuntimeException | Error e) {
        throw e;
      } catch (Throwable e) {
        throw new IllegalStateException("clock_gettime cannot be called", e);
      }
    }

    @Override
    public long modelCpuNanos() {
      return nanos(client, MODEL_SECONDS);
    }

    @Override
    public boolean includesClient() {
      return true;
    }
  }

  /** Reads the gateway's metrics. */
  record Remote(GatewayClient client) implements Meter {

    @Override
    public long processCpuNanos() {
      return nanos(client, PROCESS_SECONDS);
    }

    @Override
    public long modelCpuNanos() {
      return nanos(client, MODEL_SECONDS);
    }

    @Override
    public boolean includesClient() {
      return false;
    }
  }

  private static long nanos(GatewayClient client, String metric) {
    Metrics metrics = client.metrics();
    if (!metrics.has(metric)) {
      throw new GatewayException(
          0, client.base() + " has no metric " + metric + ", which this benchmark needs");
    }
    return Math.round(metrics.sum(metric) * 1e9);
  }
}
