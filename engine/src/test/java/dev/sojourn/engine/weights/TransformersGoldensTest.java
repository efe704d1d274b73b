package dev.sojourn.engine.weights;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.engine.model.KvType;
import dev.sojourn.engine.model.LoadOptions;
import dev.sojourn.engine.model.LoadedModel;
import dev.sojourn.engine.model.ModelRunner;
import dev.sojourn.engine.model.StepBatch;
import dev.sojourn.text.Tokenizer;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import java.util.OptionalInt;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Compares what we make of checkpoints with what transformers, which wrote them, made of them: the
 * ids of a text and the logits (recorded by {@code scripts/goldens/transformers_goldens.py}). Both
 * compute in float from the same weights: only the order of summation differs, and how the angles
 * of rotations are rounded.
 */
class TransformersGoldensTest {

  private static final int PAGES = 8;

  /**
   * Of logits with a deviation of about 1.7. Measured: at most 1.2e-5, but 3.4e-5 for phi3, whose
   * LongRoPE sharpens attention. There transformers itself is 2.3e-5 from the same in doubles.
   */
  private static final double TOLERANCE = 5e-5;

  @ParameterizedTest
  @ValueSource(strings = {"llama", "mistral", "qwen2", "qwen3", "qwen3moe", "gemma3", "phi3"})
  void idsAndLogits_ofARecordedCheckpoint_areTransformers(String name) throws URISyntaxException {
    ModelMetadata golden = JsonMetadata.read(resource(name).resolve("golden.json"));
    try (ModelFile file = ModelFile.open(resource(name));
        Tokenizer tokenizer = Tokenizer.of(file.vocabulary());
        LoadedModel model =
            LoadedModel.load(
                file, new LoadOptions(2, OptionalInt.empty(), KvType.F32), Progress.NONE);
        ModelRunner runner = model.newRunner(PAGES)) {
      int[] ids = tokenizer.encode(golden.string("text")).stream().toArray();
      assertThat(ids)
          .containsExactly(
              Arrays.stream(golden.findIntegers("ids").orElseThrow())
                  .mapToInt(Math::toIntExact)
                  .toArray());
      StepBatch batch = new StepBatch(runner.vocabularySize());
      for (int position = 0; position < ids.length; position++) {
        batch.addSlice(position, new int[] {0, 1, 2, 3, 4, 5, 6, 7}, true);
        batch.addToken(ids[position]);
      }
      runner.run(batch);
      int compared = 0;
      double worst = 0;
      for (int position = 0; position < ids.length; position++) {
        double[] expected = golden.findReals("logits." + position).orElse(new double[0]);
        for (int id = 0; id < expected.length; id++) {
          worst = Math.max(worst, Math.abs(batch.logits(position)[id] - expected[id])); // NaN stays
          compared++;
        }
      }
      assertThat(compared).isGreaterThan(1000);
      assertThat(worst).isLessThan(TOLERANCE);
    }
  }

  private static Path resource(String name) throws URISyntaxException {
    return Path.of(
        Objects.requireNonNull(
                TransformersGoldensTest.class.getResource("transformers/" + name), name)
            .toURI());
  }
}
