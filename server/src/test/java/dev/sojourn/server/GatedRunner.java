package dev.sojourn.server;

import dev.sojourn.engine.model.ModelRunner;
import dev.sojourn.engine.model.StepBatch;
import java.util.concurrent.Semaphore;

/** A real runner whose steps can be held up, so that a test can act while one runs. */
final class GatedRunner implements ModelRunner {

  private final ModelRunner real;
  private final Semaphore entered = new Semaphore(0);
  private final Semaphore allowed = new Semaphore(0);
  private volatile boolean held;
  private volatile boolean broken;
  private volatile boolean closed;

  GatedRunner(ModelRunner real) {
    this.real = real;
  }

  /** From now on each step waits for {@link #step}. */
  void hold() {
    entered.drainPermits();
    allowed.drainPermits();
    held = true;
  }

  /** Waits until a step has begun. */
  void awaitStep() throws InterruptedException {
    entered.acquire();
  }

  /** Lets one step go on. */
  void step() {
    allowed.release();
  }

  boolean closed() {
    return closed;
  }

  /** Lets all steps go on. */
  void release() {
    held = false;
    allowed.release(1000);
  }

  /** Makes the next step end its engine. */
  void breakDown() {
    broken = true;
  }

  @Override
  public void run(StepBatch batch) {
    if (broken) {
      throw new LinkageError("told to fail");
    }
    if (held) {
      entered.release();
      allowed.acquireUninterruptibly();
    }
    real.run(batch);
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
