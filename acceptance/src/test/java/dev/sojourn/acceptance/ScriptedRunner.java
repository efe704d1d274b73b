package dev.sojourn.acceptance;

import dev.sojourn.core.Tokens;
import dev.sojourn.engine.model.ModelRunner;
import dev.sojourn.engine.model.StepBatch;
import dev.sojourn.engine.weights.ModelFile;
import dev.sojourn.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;

/** A real runner that says what it is told, to one turn at a time. */
final class ScriptedRunner extends WrappedRunner {

  private final Queue<Integer> script = new ConcurrentLinkedQueue<>();

  ScriptedRunner(ModelRunner real) {
    super(real);
  }

  /** Adds an answer, which ends behind its text. */
  void say(Path model, String answer) throws IOException {
    try (ModelFile file = ModelFile.open(model);
        Tokenizer tokenizer = Tokenizer.of(file.vocabulary())) {
      Tokens end = Tokens.of(file.vocabulary().tokens().indexOf("<|im_end|>"));
      tokenizer.encode(answer).concat(end).stream().forEach(script::add);
    }
  }

  @Override
  public void run(StepBatch batch) {
    super.run(batch);
    for (int slice = 0; slice < batch.slices(); slice++) {
      @Nullable Integer next = batch.wantsLogits(slice) ? script.poll() : null;
      if (next != null) {
        Arrays.fill(batch.logits(slice), -1000);
        batch.logits(slice)[next] = 1000;
      }
    }
  }
}
