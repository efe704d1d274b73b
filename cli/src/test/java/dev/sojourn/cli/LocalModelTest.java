package dev.sojourn.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sojourn.engine.model.ModelRunner;
import dev.sojourn.engine.weights.Progress;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LocalModelTest {

  @Test
  void load_moreKvThanMemory_failsBeforeTheWeightsAreRead(@TempDir Path cache) {
    SyntheticCache.model(cache, (stage, done, all) -> {});
    Set<String> stages = new TreeSet<>();
    Progress progress = (stage, done, all) -> stages.add(stage);
    ModelOptions options = ModelOptions.ofOurOwn(2, 1, 2_000_000_000, OptionalInt.empty());
    assertThatThrownBy(() -> LocalModel.load(options, cache, progress).close())
        .isInstanceOf(UserError.class)
        .hasMessageContaining("with KV for 2000000000 tokens on each of 2 ranks takes")
        .message()
        .containsPattern(
            " of memory are available; KV for \\d+ tokens on each rank would fit \\(--kv-tokens\\),"
                + " a token's takes 2048 bytes$");
    assertThat(stages).isEmpty();
  }

  @Test
  void load_lessKvThanAContextMayHave_saysSo(@TempDir Path cache) {
    assertThat(warning(cache, 1008, 1024))
        .hasValue(
            "a rank has KV for 1008 tokens, but a context may have 1024: longer prompts will be"
                + " refused; raise --kv-tokens, or say --context-length 1008");
    assertThat(warning(cache, 1024, 1024)).isEmpty();
  }

  @Test
  void nameOf_eachKindOfModel_isWithoutWhatTheFormatAdds() {
    assertThat(LocalModel.nameOf(Path.of("models", "m.gguf"))).isEqualTo("m");
    assertThat(LocalModel.nameOf(Path.of("models", "m-00001-of-00003.gguf"))).isEqualTo("m");
    assertThat(LocalModel.nameOf(Path.of("m", "model-00001-of-00003.safetensors"))).isEqualTo("m");
    assertThat(LocalModel.nameOf(Path.of("models", "m"))).isEqualTo("m");
  }

  private static Optional<String> warning(Path cache, int kvTokens, int context) {
    ModelOptions options = ModelOptions.ofOurOwn(1, 1, kvTokens, OptionalInt.of(context));
    try (LocalModel local = LocalModel.load(options, cache, (stage, done, all) -> {})) {
      local.served().runners().forEach(ModelRunner::close);
      return local.tooLittleKv();
    }
  }
}
