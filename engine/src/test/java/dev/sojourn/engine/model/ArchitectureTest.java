package dev.sojourn.engine.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sojourn.engine.weights.GgufFile;
import dev.sojourn.engine.weights.GgufWriter;
import dev.sojourn.engine.weights.ModelFileException;
import dev.sojourn.engine.weights.Progress;
import dev.sojourn.engine.weights.TensorType;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a file says beyond its architecture's tensors is understood or refused. */
class ArchitectureTest {

  @TempDir Path directory;

  private Architecture of(GgufWriter writer) {
    writer.write(directory.resolve("m.gguf"), Progress.NONE);
    try (GgufFile file = GgufFile.open(directory.resolve("m.gguf"))) {
      return Architecture.of(file);
    }
  }

  private static GgufWriter tiny(String architecture) {
    return TinyModel.of(architecture, TensorType.F32).writer();
  }

  private void assertRefused(GgufWriter writer, String key, String expected) {
    assertThatThrownBy(() -> of(writer))
        .isInstanceOf(ModelFileException.class)
        .hasMessageContaining(key)
        .hasMessageContaining(expected);
  }

  @Test
  void of_aFileWithPartsThatItsArchitectureLacks_namesThem() {
    assertRefused(tiny("llama").whole("llama.expert_count", 8), "expert_count", "not supported");
    assertRefused(
        tiny("qwen3moe").whole("qwen3moe.expert_gating_func", 2), "gating_func", "1 (softmax)");
    assertRefused(
        tiny("qwen3moe").real("qwen3moe.expert_weights_scale", 2.5f), "weights_scale", "2.5");
    assertRefused(tiny("gemma3").real("gemma3.final_logit_softcapping", 30), "softcapping", "30");
    assertRefused(
        new GgufWriter().text("general.architecture", "mamba"), "architecture", "\"phi3\"");
  }

  @Test
  void of_moreExpertsForATokenThanThereIsRoomFor_saysHowManyThereMayBe() {
    GgufWriter writer =
        new GgufWriter()
            .text("general.architecture", "qwen3moe")
            .whole("qwen3moe.embedding_length", 4096)
            .whole("qwen3moe.expert_count", 4096)
            .whole("qwen3moe.expert_used_count", 4096)
            .whole("qwen3moe.expert_feed_forward_length", 1);
    assertRefused(writer, "expert_used_count", "from 1 to 256");
  }

  @Test
  void of_aFileThatSaysLittle_takesTheFamilysHabits() {
    GgufWriter gemma = new GgufWriter().text("general.architecture", "gemma3");
    assertThat(of(gemma)).isEqualTo(new Gemma3(0, 6, 10_000));
    GgufWriter phi =
        new GgufWriter().text("general.architecture", "phi3").whole("phi3.context_length", 4096);
    assertThat(of(phi)).isInstanceOfSatisfying(Phi3.class, it -> assertThat(it.window()).isZero());
  }

  @Test
  void windows_ofALayer_areThoseOfItsArchitecture() {
    assertThat(windows("llama")).containsExactly(0, 0);
    assertThat(windows("phi3")).containsExactly(TinyModel.WINDOW, TinyModel.WINDOW);
    assertThat(windows("gemma3")).containsExactly(TinyModel.WINDOW, 0);
  }

  private List<Integer> windows(String architecture) {
    try (GgufFile file =
        GgufFile.open(TinyModel.of(architecture, TensorType.F32).write(directory))) {
      return LoadedModel.windows(file);
    }
  }

  @Test
  void load_ofLongFactorsForALongerContextThanTheirs_isRefused() {
    Path path = TinyModel.of("phi3", TensorType.F32).write(directory);
    LoadOptions longer = new LoadOptions(1, OptionalInt.of(TinyModel.CONTEXT + 1), KvType.F32);
    try (GgufFile file = GgufFile.open(path)) {
      assertThatThrownBy(() -> LoadedModel.load(file, longer, Progress.NONE))
          .isInstanceOf(ModelFileException.class)
          .hasMessageContaining("phi3.context_length");
    }
  }
}
