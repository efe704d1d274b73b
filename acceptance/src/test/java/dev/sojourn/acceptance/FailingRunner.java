package dev.sojourn.acceptance;

import dev.sojourn.engine.model.ModelRunner;
import dev.sojourn.engine.model.StepBatch;

/** A real runner that fails in one of its steps: the first that is beyond a number of them. */
final class FailingRunner implements ModelRunner {

  private final ModelRunner real;
  private int left;

  FailingRunner(ModelRunner real, int goodSteps) {
    this.real = real;
    left = goodSteps;
  }

  @Override
  public void run(StepBatch batch) {
    if (left-- == 0) {
      throw new IllegalStateException("this step was to fail");
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
    real.close();
  }
}
