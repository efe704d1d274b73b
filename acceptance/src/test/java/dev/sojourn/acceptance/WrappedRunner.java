package dev.sojourn.acceptance;

import dev.sojourn.engine.model.ModelRunner;
import dev.sojourn.engine.model.StepBatch;

/** A real runner with something around its steps. */
abstract class WrappedRunner implements ModelRunner {

  private final ModelRunner real;

  WrappedRunner(ModelRunner real) {
    this.real = real;
  }

  @Override
  public void run(StepBatch batch) {
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
