package dev.sojourn.engine.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.sojourn.engine.weights.GgufFile;
import dev.sojourn.engine.weights.GgufWriter;
import dev.sojourn.engine.weights.ModelFileException;
import dev.sojourn.engine.weights.Progress;
import dev.sojourn.engine.weights.TensorType;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.OptionalInt;
import org.assertj.core.data.Index;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RopeTest {

  @TempDir Path directory;

  private Hyperparameters read(GgufWriter writer, OptionalInt context) {
    Path path = directory.resolve("model.gguf");
    writer.write(path, Progress.NONE);
    try (GgufFile file = GgufFile.open(path)) {
      return Hyperparameters.read(file, context);
    }
  }

  /** A model with 64 numbers a head and this context of its own. */
  private static GgufWriter model(int context) {
    return new GgufWriter()
        .text("general.architecture", "llama")
        .whole("llama.context_length", context)
        .whole("llama.embedding_length", 128)
        .whole("llama.block_count", 1)
        .whole("llama.feed_forward_length", 32)
        .whole("llama.attention.head_count", 2)
        .real("llama.attention.layer_norm_rms_epsilon", 1e-6f)
        .tensor("token_embd.weight", TensorType.F32, (_, _) -> {}, 128, 1);
  }

  /** The angle by which the rope turns a pair at position 1, from its cosine and sine. */
  private static double frequency(Rope rope, int pair) {
    float[] cosines = new float[rope.angles()];
    float[] sines = new float[rope.angles()];
    rope.angles(1, cosines, sines, 0);
    return Math.atan2(sines[pair], cosines[pair]);
  }

  @Test
  void rotate_byAKnownAngle_turnsThePairsOfItsKind() {
    Hyperparameters h = read(model(100), OptionalInt.empty());
    float[] cosines = new float[32];
    float[] sines = new float[32];
    cosines[1] = 0; // a quarter turn of the second pair, none of the others
    sines[1] = 1;
    for (int i = 0; i < 32; i++) {
      cosines[i] = i == 1 ? 0 : 1;
    }
    float[] neighbours = new float[64];
    float[] halves = new float[64];
    for (int i = 0; i < 64; i++) {
      neighbours[i] = i;
      halves[i] = i;
    }
    rope(h, new float[0], Rope.Pairs.NEIGHBOURS).rotate(neighbours, 0, cosines, sines, 0);
    rope(h, new float[0], Rope.Pairs.HALVES).rotate(halves, 0, cosines, sines, 0);
    assertThat(neighbours).startsWith(0, 1, -3, 2, 4, 5);
    assertThat(halves).startsWith(0, -33, 2).contains(1, Index.atIndex(33));
  }

  @Test
  void angles_withoutScaling_fallFromOneByThePowerOfTheBase() {
    Rope rope = rope(read(model(100), OptionalInt.empty()), new float[0], Rope.Pairs.HALVES);
    assertThat(frequency(rope, 0)).isCloseTo(1, within(1e-6));
    assertThat(frequency(rope, 16)).isCloseTo(0.01, within(1e-8));
    assertThat(frequency(rope, 31)).isCloseTo(Math.pow(10_000, -62 / 64.0), within(1e-10));
  }

  @Test
  void angles_beyondTheModelsContext_keepFastTurnsAndStretchSlowOnes() {
    Hyperparameters h = read(model(2048), OptionalInt.of(8192));
    assertThat(h.contextLength()).isEqualTo(8192);
    Rope rope = rope(h, new float[0], Rope.Pairs.HALVES);
    // Within 2,048 tokens pair 0 turns 326 times, pair 31 not once.
    assertThat(frequency(rope, 0)).isCloseTo(1, within(1e-6));
    double slowest = Math.pow(10_000, -62 / 64.0);
    assertThat(frequency(rope, 31)).isCloseTo(slowest / 4, within(1e-10));
    // Pairs 8 (turns 33 times) and 21 (0.8 times) bound the ramp; in between it is mixed.
    double middle = Math.pow(10_000, -30 / 64.0);
    assertThat(frequency(rope, 15)).isBetween(middle / 4 * 1.2, middle * 0.9);
    float[] cosines = new float[32];
    rope.angles(0, cosines, new float[32], 0);
    assertThat(cosines[7]).isCloseTo((float) (1 + 0.1 * Math.log(4)), within(1e-6f));
  }

  @Test
  void angles_ofAFileWithYarn_useItsFactorAndOriginalContext() {
    GgufWriter writer =
        model(8192)
            .text("llama.rope.scaling.type", "yarn")
            .real("llama.rope.scaling.factor", 4)
            .whole("llama.rope.scaling.original_context_length", 2048);
    RopeScaling own = read(writer, OptionalInt.empty()).scaling();
    assertThat(own).isEqualTo(new RopeScaling(4, true, 2048, 1));
    assertThat(read(writer, OptionalInt.of(4096)).scaling()).isEqualTo(own);
    assertThat(read(writer, OptionalInt.of(16_384)).scaling().factor()).isEqualTo(8);
    assertThat(read(model(2048), OptionalInt.of(8192)).scaling()).isEqualTo(own);
  }

  @Test
  void angles_withFactorsOfTheFile_areDividedByThem() {
    float[] factors = new float[32];
    Arrays.fill(factors, 8);
    Rope rope = rope(read(model(100), OptionalInt.empty()), factors, Rope.Pairs.NEIGHBOURS);
    assertThat(frequency(rope, 0)).isCloseTo(0.125, within(1e-7));
  }

  @Test
  void read_ofNumbersThatMakeNoSense_namesKeyExpectedAndFound() {
    assertThatThrownBy(
            () -> read(model(9).whole("llama.attention.head_count_kv", 3), OptionalInt.empty()))
        .isInstanceOf(ModelFileException.class)
        .hasMessageContaining("llama.attention.head_count_kv")
        .hasMessageContaining("from 1 to 2");
    assertThatThrownBy(
            () -> read(model(9).text("llama.rope.scaling.type", "longrope"), OptionalInt.empty()))
        .hasMessageContaining("longrope");
    assertThatThrownBy(() ->
            read(
                model(9)
                    .text("llama.rope.scaling.type", "linear")
                    .real("llama.rope.scaling.factor", 2),
                OptionalInt.of(99)))
        .hasMessageContaining("a context beyond 9");
    assertThatThrownBy(() -> new LoadOptions(1, OptionalInt.of(0), KvType.F32))
        .hasMessageContaining("at least 1, not 0");
  }

  private static Rope rope(Hyperparameters h, float[] factors, Rope.Pairs pairs) {
    return new Rope(h.ropeDim(), h.ropeBase(), h.scaling(), factors, pairs);
  }
}
