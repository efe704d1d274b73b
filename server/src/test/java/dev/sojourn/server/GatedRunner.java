package dev.sojourn.server;

import dev.sojourn.core.Tokens;
import dev.sojourn.engine.model.ModelRunner;
import dev.sojourn.engine.model.StepBatch;
import java.util.Arrays;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * A real runner whose steps can be held up, so that a test can act while one runs, and that can be
 * told what to say, and to fail.
 */
public final class GatedRunner implements ModelRunner {

  private final ModelRunner real;
  private final Semaphore entered = new Semaphore(0);
  private final Semaphore allowed = new Semaphore(0);
  private volatile boolean held;
  private volatile boolean heldUntilAsked;
  private volatile @Nullable Thread stepping;
  private volatile boolean broken;
  private volatile boolean closed;

  /** Steps until one fails; below 0, none does. */
  private final AtomicInteger good = new AtomicInteger(-1);

  private final Queue<Integer> script = new ConcurrentLinkedQueue<>();

  public GatedRunner(ModelRunner real) {
    this.real = real;
  }

  /** From now on each step waits for {@link #step}. */
  public void hold() {
    entered.drainPermits();
    allowed.drainPermits();
    held = true;
  }

  /**
   * From now on each step waits until something is asked of its engine: a turn, a cancel, whatever.
   * That wakes the engine's thread, which is here; when the step has ended, it does what was asked.
   */
  public void holdUntilAsked() {
    entered.drainPermits();
    heldUntilAsked = true;
    held = false;
    allowed.release();
  }

  /** Waits until a step has begun. */
  void awaitStep() throws InterruptedException {
    entered.acquire();
  }

  /** Returns whether a step has begun since this was asked last. */
  public boolean isStepping() {
    return entered.tryAcquire();
  }

  /** Lets one step go on. */
  public void step() {
    allowed.release();
  }

  boolean closed() {
    return closed;
  }

  /** Lets all steps go on. */
  public void release() {
    held = false;
    heldUntilAsked = false;
    allowed.release(1000);
    LockSupport.unpark(stepping);
  }

  /** Makes the next step end its engine. */
  void breakDown() {
    broken = true;
  }

  /** Makes one step fail, behind so many good ones; returns this runner. */
  public GatedRunner failBehind(int steps) {
    good.set(steps);
    return this;
  }

  /** Makes the next tokens that are sampled, by one turn at a time, these. */
  public void say(Tokens ids) {
    script.clear();
    ids.stream().forEach(script::add);
  }

  @Override
  public void run(StepBatch batch) {
    if (broken) {
      throw new LinkageError("told to fail");
    }
    if (good.getAndDecrement() == 0) {
      throw new IllegalStateException("told to fail once");
    }
    stepping = Thread.currentThread();
    if (heldUntilAsked) {
      entered.release();
      LockSupport.park(this); // returns at once where something was asked before
    } else if (held) {
      entered.release();
      allowed.acquireUninterruptibly();
    }
    real.run(batch);
    for (int slice = 0; slice < batch.slices(); slice++) {
      @Nullable Integer next = batch.wantsLogits(slice) ? script.poll() : null;
      if (next != null) {
        Arrays.fill(batch.logits(slice), -1000);
        batch.logits(slice)[next] = 1000;
      }
    }
  }

  @Override
  public int vocabularySize() {
    return real.vocabularySize();
  }

  @Override
  public int contextLength() {
    return real.contextLength();
  }

  @Override
  public int pages() {
    return real.pages();
  }

  @Override
  public void copySlots(int from, int to, int slots) {
    real.copySlots(from, to, slots);
  }

  @Override
  public void close() {
    closed = true;
    real.close();
  }
}
