package dev.sojourn.bench.engine;

import dev.sojourn.core.Clock;
import dev.sojourn.engine.kernel.LargeMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.IntFunction;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * What the machine can do at most, with so many threads: read memory, which bounds decoding, and
 * multiply and add, which bounds prompts. The best of a few tries, as seen from vectors in Java, in
 * memory as that of weights, read in the way that is fastest.
 */
public final class MachineSpeed {

  private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
  private static final int LANES = SPECIES.length();

  /** More than any cache holds, of all threads together. */
  private static final long BYTES = 512L << 20;

  /** What a call reads: short calls, so that whole methods are compiled, not loops on the way. */
  static final long PART = 1 << 20;

  /** A processor fetches ahead page by page, so several pages at once are read faster than one. */
  private static final List<Integer> STREAMS = List.of(1, 4);

  private static final ByteOrder NATIVE = ByteOrder.nativeOrder();

  private static final int ACCUMULATORS = 10; // more than an FMA's latency times its ports
  private static final int ROUNDS = 200_000; // of a call that multiplies
  private static final int CALLS = 100;
  private static final int TRIES = 6;

  private MachineSpeed() {}

  /** Measures it, which takes a second or two and half a gigabyte. */
  public static EngineReport.Machine measure(int threads, Clock clock) throws InterruptedException {
    try (ExecutorService pool = Executors.newFixedThreadPool(threads);
        Arena arena = Arena.ofShared()) {
      long slice = Math.max(1, BYTES / threads / PART) * PART;
      MemorySegment memory = new LargeMemory(arena).allocate(slice * threads, PART);
      memory.fill((byte) 0x3f);
      double read = Double.MAX_VALUE;
      for (int streams : STREAMS) {
        double seconds =
            best(
                pool,
                threads,
                clock,
                thread -> () -> sum(memory.asSlice(thread * slice, slice), streams));
        read = Math.min(read, seconds);
      }
      double fma = best(pool, threads, clock, _ -> MachineSpeed::multiply);
      double operations = 2.0 * ACCUMULATORS * LANES * ROUNDS * CALLS * threads;
      return new EngineReport.Machine(slice * threads / read, operations / fma);
    }
  }

  /** Returns the seconds that all threads took together, at best. */
  private static double best(
      ExecutorService pool, int threads, Clock clock, IntFunction<Callable<Float>> task)
      throws InterruptedException {
    double best = Double.MAX_VALUE;
    for (int i = 0; i < TRIES; i++) {
      List<Callable<Float>> tasks = new ArrayList<>();
      for (int thread = 0; thread < threads; thread++) {
        tasks.add(task.apply(thread));
      }
      long start = clock.nanos();
      for (Future<Float> future : pool.invokeAll(tasks)) {
        try {
          future.get();
        } catch (ExecutionException e) {
          throw new IllegalStateException("the machine cannot be measured", e.getCause());
        }
      }
      best = Math.min(best, (clock.nanos() - start) / 1e9);
    }
    return best;
  }

  /**
   * Returns the sum of all numbers.
   *
   * @param memory whole {@link #PART}s
   * @param streams 1 or 4, that are read side by side
   */
  static float sum(MemorySegment memory, int streams) {
    float sum = 0;
    for (long at = 0; at < memory.byteSize(); at += PART) {
      sum += streams == 1 ? sumInOrder(memory, at) : sumOfQuarters(memory, at);
    }
    return sum;
  }

  private static float sumInOrder(MemorySegment memory, long from) {
    FloatVector a = FloatVector.zero(SPECIES);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    long step = 4L * LANES;
    for (long at = from; at < from + PART; at += 4 * step) {
      a = a.add(FloatVector.fromMemorySegment(SPECIES, memory, at, NATIVE));
      b = b.add(FloatVector.fromMemorySegment(SPECIES, memory, at + step, NATIVE));
      c = c.add(FloatVector.fromMemorySegment(SPECIES, memory, at + 2 * step, NATIVE));
      d = d.add(FloatVector.fromMemorySegment(SPECIES, memory, at + 3 * step, NATIVE));
    }
    return a.add(b).add(c.add(d)).reduceLanes(VectorOperators.ADD);
  }

  private static float sumOfQuarters(MemorySegment memory, long from) {
    FloatVector a = FloatVector.zero(SPECIES);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    long quarter = PART / 4;
    for (long at = from; at < from + quarter; at += 4L * LANES) {
      a = a.add(FloatVector.fromMemorySegment(SPECIES, memory, at, NATIVE));
      b = b.add(FloatVector.fromMemorySegment(SPECIES, memory, at + quarter, NATIVE));
      c = c.add(FloatVector.fromMemorySegment(SPECIES, memory, at + 2 * quarter, NATIVE));
      d = d.add(FloatVector.fromMemorySegment(SPECIES, memory, at + 3 * quarter, NATIVE));
    }
    return a.add(b).add(c.add(d)).reduceLanes(VectorOperators.ADD);
  }

  private static float multiply() {
    float sum = 0;
    for (int call = 0; call < CALLS; call++) {
      sum += multiply(call * 1e-9f);
    }
    return sum;
  }

  private static float multiply(float by) {
    FloatVector x = FloatVector.broadcast(SPECIES, by);
    FloatVector a = x;
    FloatVector b = x;
    FloatVector c = x;
    FloatVector d = x;
    FloatVector e = x;
    FloatVector f = x;
    FloatVector g = x;
    FloatVector h = x;
    FloatVector i = x;
    FloatVector j = x;
    for (int round = 0; round < ROUNDS; round++) {
      a = a.fma(x, x);
      b = b.fma(x, x);
      c = c.fma(x, x);
      d = d.fma(x, x);
      e = e.fma(x, x);
      f = f.fma(x, x);
      g = g.fma(x, x);
      h = h.fma(x, x);
      i = i.fma(x, x);
      j = j.fma(x, x);
    }
    return a.add(b).add(c.add(d)).add(e.add(f)).add(g.add(h)).add(i.add(j)).lane(0);
  }
}
