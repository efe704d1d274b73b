package dev.sojourn.engine.weights;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelInfoTest {

  @TempDir Path directory;

  @Test
  void of_countsThatDifferByLayer_areEmpty() {
    ModelInfo info =
        info(
            new GgufWriter()
                .whole("x.block_count", 2)
                .whole("x.embedding_length", 64)
                .whole("x.attention.head_count", 8)
                .wholes("x.attention.head_count_kv", 4, 2)
                .wholes("x.attention.key_length", 8, 16)
                .wholes("x.feed_forward_length", 64, 128));
    assertThat(info.layers()).hasValue(2);
    assertThat(info.heads()).hasValue(8);
    assertThat(info.kvHeads()).isEmpty();
    assertThat(info.headDimension()).isEmpty();
    assertThat(info.hidden()).isEmpty();
  }

  @Test
  void of_countsThatMakeNoSense_areEmpty() {
    ModelInfo info =
        info(
            new GgufWriter()
                .flag("x.block_count", true)
                .text("x.context_length", "long")
                .real("x.embedding_length", 0.5f));
    assertThat(info.layers()).isEmpty();
    assertThat(info.context()).isEmpty();
    assertThat(info.dimension()).isEmpty();
  }

  @Test
  void of_headCountAlone_givesThatOfKeysAndTheirDimension() {
    ModelInfo info =
        info(new GgufWriter().whole("x.embedding_length", 64).whole("x.attention.head_count", 8));
    assertThat(info.kvHeads()).hasValue(8);
    assertThat(info.headDimension()).hasValue(8);
  }

  @Test
  void of_nameWithControlCharacters_showsThemAsTheyAreWrittenInJava() {
    ModelInfo info = info(new GgufWriter().text("general.name", "a\u001b[2Jb\nname: c"));
    assertThat(info.name()).hasValue("a\\u001b[2Jb\\u000aname: c");
  }

  private ModelInfo info(GgufWriter model) {
    Path path = directory.resolve("m.gguf");
    model.text("general.architecture", "x").write(path, Progress.NONE);
    try (GgufFile file = GgufFile.open(path)) {
      return ModelInfo.of(file);
    }
  }
}
