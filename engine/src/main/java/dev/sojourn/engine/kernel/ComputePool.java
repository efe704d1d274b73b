package dev.sojourn.engine.kernel;

import dev.sojourn.core.Clock;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The threads that arithmetic runs on; one pool for a process, shared by its ranks.
 *
 * <p>A caller works along with the pool's threads, which take the units of a job one by one; a
 * result must not depend on who computed it. Between jobs the threads spin for some microseconds,
 * as a forward pass is hundreds of jobs in a row, and then park: idle costs nothing.
 *
 * <p>Thread-safe: jobs of several callers run one after the other. A caller that wants many jobs
 * without another's in between {@link #acquire}s the pool for that time.
 */
public final class ComputePool implements AutoCloseable {

  /** One job. */
  public interface Job {

    /**
     * Computes a unit of the job.
     *
     * @param worker which thread runs it, from 0 below {@link #threads}: an index into scratch
     */
    void run(int worker, int unit);
  }

  private final Spin spin = new Spin(Clock.system());
  private final ReentrantLock turn = new ReentrantLock(true);
  private final Worker[] workers;
  private final AtomicInteger nextUnit = new AtomicInteger();
  private final AtomicInteger working = new AtomicInteger();
  private final BooleanSupplier done = this::isDone; // made once: waiting allocates nothing
  private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();

  // The present job: written by the caller before the round moves, read by workers after.
  private Job job = (_, _) -> {};
  private int units;
  private @Nullable Thread caller;
  private final AtomicInteger round = new AtomicInteger();
  private volatile boolean closed;

  /**
   * Starts a pool of this many threads, the caller's included.
   *
   * @throws OutOfMemoryError if the system has no room for so many; none is left behind
   */
  public ComputePool(int threads) {
    this(threads, Thread::start);
  }

  /** Starts a pool of threads in a way of one's own. */
  ComputePool(int threads, Consumer<Thread> start) {
    if (threads < 1) {
      throw new IllegalArgumentException("a pool has at least 1 thread, not " + threads);
    }
    workers = new Worker[threads - 1];
    Arrays.setAll(workers, i -> new Worker(i + 1));
    boolean started = false;
    try {
      for (Worker worker : workers) {
        start.accept(worker);
      }
      started = true;
    } finally {
      if (!started) {
        close();
      }
    }
  }

  /** Returns the number of threads, a caller's included. */
  public int threads() {
    return workers.length + 1;
  }

  /** Waits for the pool and keeps other callers out until {@link #release}. */
  public void acquire() {
    turn.lock();
  }

  /** Lets other callers in again. */
  public void release() {
    turn.unlock();
  }

  /**
   * Runs a job and returns when all of its units are done. An exception of a unit is thrown here,
   * after the units that had begun; units that had not begun are skipped.
   */
  public void run(int units, Job job) {
    turn.lock();
    try {
      if (closed) {
        throw new IllegalStateException("the compute pool is closed");
      }
      if (workers.length == 0 || units <= 1) {
        for (int unit = 0; unit < units; unit++) {
          job.run(0, unit);
        }
        return;
      }
      this.job = job;
      this.units = units;
      caller = Thread.currentThread();
      nextUnit.set(0);
      working.set(workers.length);
      round.incrementAndGet();
      for (Worker worker : workers) {
        if (worker.parked) {
          LockSupport.unpark(worker);
        }
      }
      work(0);
      if (!spin.until(done)) {
        while (!isDone()) {
          LockSupport.park(this);
        }
      }
      switch (failure.getAndSet(null)) {
        case null -> {}
        case Error error -> throw error;
        case RuntimeException exception -> throw exception;
        case Throwable thrown -> throw new IllegalStateException(thrown);
      }
    } finally {
      turn.unlock();
    }
  }

  private boolean isDone() {
    return working.get() == 0;
  }

  private void work(int worker) {
    Job present = job;
    int count = units;
    try {
      for (int unit = nextUnit.getAndIncrement(); unit < count; unit = nextUnit.getAndIncrement()) {
        present.run(worker, unit);
      }
    } catch (Throwable thrown) {
      failure.compareAndSet(null, thrown);
      nextUnit.set(count);
    }
  }

  /** Ends the threads. A job that runs is finished first. */
  @Override
  public void close() {
    turn.lock();
    try {
      closed = true;
      round.incrementAndGet();
      for (Worker worker : workers) {
        LockSupport.unpark(worker);
      }
    } finally {
      turn.unlock();
    }
  }

  private final class Worker extends Thread {

    private final int index;
    private int seen;
    private final BooleanSupplier called = this::isCalled;
    private volatile boolean parked;

    Worker(int index) {
      super("sojourn-compute-" + index);
      this.index = index;
      setDaemon(true);
    }

    @Override
    public void run() {
      while (true) {
        awaitCall();
        if (closed) {
          return;
        }
        work(index);
        Thread waiting = caller;
        if (working.decrementAndGet() == 0) {
          LockSupport.unpark(waiting);
        }
      }
    }

    private boolean isCalled() {
      return round.get() != seen;
    }

    private void awaitCall() {
      if (!spin.until(called)) {
        parked = true;
        while (!isCalled()) {
          LockSupport.park(ComputePool.this);
        }
        parked = false;
      }
      seen = round.get();
    }
  }
}
