package dev.sojourn.acceptance;

import dev.sojourn.engine.model.ModelRunner;
import dev.sojourn.engine.model.StepBatch;

/** A real runner that fails in one of its steps: the first that is beyond a number of them. */
final class FailingRunner extends WrappedRunner {

  private int left;

  FailingRunner(ModelRunner real, int goodSteps) {
    super(real);
    left = goodSteps;
  }

  @Override
  public void run(StepBatch batch) {
    if (left-- == 0) {
      throw new IllegalStateException("this step was to fail");
    }
    super.run(batch);
  }
}
