package dev.sojourn.bench.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import dev.sojourn.bench.engine.EngineReport.Cold;
import dev.sojourn.bench.engine.EngineReport.Machine;
import dev.sojourn.bench.engine.EngineReport.Measured;
import dev.sojourn.bench.engine.EngineReport.Missing;
import dev.sojourn.bench.engine.EngineReport.Row;
import dev.sojourn.bench.engine.EngineReport.Start;
import dev.sojourn.bench.engine.ModelWork.Experts;
import dev.sojourn.engine.model.KvType;
import dev.sojourn.engine.model.LoadOptions;
import dev.sojourn.engine.weights.ModelFile;
import dev.sojourn.engine.weights.Progress;
import dev.sojourn.engine.weights.SyntheticModel;
import dev.sojourn.engine.weights.TensorType;
import java.io.StringReader;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import java.util.OptionalLong;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Document;
import org.xml.sax.InputSource;
import tools.jackson.databind.JsonNode;

class EngineReportTest {

  private static final Measured FAST = new Measured(List.of(30.0, 10.0, 20.0));
  private static final Measured SLOW = new Measured(List.of(4.0, 6.0));
  private static final Missing NONE = new Missing("one sequence <at> a time");

  private static final EngineReport REPORT =
      new EngineReport(
          "m.gguf",
          2,
          new Machine(1e10, 1e11),
          List.of(start("sojourn", FAST), start("peer", NONE)),
          List.of(
              new Row(new Point.Prefill(32), 40, List.of(FAST, SLOW)),
              new Row(new Point.Prefill(128), 40, List.of(FAST, NONE)),
              new Row(new Point.Decode(2, 16), 40, List.of(NONE, SLOW)),
              new Row(new Point.Decode(4, 16), 40, List.of(FAST, new Cold(3)))));

  private static Start start(String side, EngineReport.Result millis) {
    return new Start(side, "set up", millis, millis, OptionalLong.of(7), OptionalLong.empty());
  }

  @Test
  void median_isTheMiddle_orTheMeanOfTwo() {
    assertThat(FAST.median()).isEqualTo(20);
    assertThat(FAST.least()).isEqualTo(10);
    assertThat(FAST.most()).isEqualTo(30);
    assertThat(SLOW.median()).isEqualTo(5);
  }

  @Test
  void json_hasEveryRoundAndReason() {
    JsonNode json = REPORT.json();
    JsonNode point = json.path("points").path(0);
    assertThat(point.path("kind").asString()).isEqualTo("prefill");
    assertThat(point.path("tokens").asInt()).isEqualTo(32);
    assertThat(point.path("tokens_per_second").path("sojourn").path("rounds").size()).isEqualTo(3);
    assertThat(point.path("ratio").path("peer").asDouble()).isEqualTo(4);
    assertThat(point.path("share_of_limit").asDouble()).isEqualTo(0.5);
    JsonNode missing = json.path("points").path(1);
    assertThat(missing.path("tokens_per_second").path("peer").path("missing").asString())
        .isEqualTo(NONE.why());
    assertThat(missing.path("ratio").has("peer")).isFalse();
    assertThat(json.path("points").path(2).path("batch").asInt()).isEqualTo(2);
    assertThat(json.path("points").path(2).has("share_of_limit")).isFalse();
    JsonNode cold = json.path("points").path(3).path("tokens_per_second").path("peer");
    assertThat(cold.path("cold").asDouble()).isEqualTo(3);
    assertThat(cold.path("rounds").isEmpty()).isTrue();
    assertThat(cold.has("median")).isFalse();
    assertThat(json.path("points").path(3).path("ratio").has("peer")).isFalse();
    assertThat(json.path("sides").path(0).path("load_ms").path("median").asDouble()).isEqualTo(20);
    assertThat(json.path("sides").path(0).path("loaded_peak_bytes").asInt()).isEqualTo(7);
    assertThat(json.path("sides").path(0).has("peak_bytes")).isFalse();
  }

  @Test
  void plot_hasAPanelForPromptsAndForEachContext_andMarksWhatWasMeasured() throws Exception {
    Document svg =
        DocumentBuilderFactory.newInstance()
            .newDocumentBuilder()
            .parse(new InputSource(new StringReader(EnginePlot.svg(REPORT))));
    assertThat(svg.getElementsByTagName("circle").getLength()).isEqualTo(5);
    assertThat(svg.getDocumentElement().getTextContent())
        .contains("Prompts", "Decoding at 16 tokens", "sojourn", "peer");
  }

  @Test
  void limit_isWhatTheMachineAllows() {
    ModelWork work = new ModelWork(100, Experts.NONE, 10, 5, 2, 1, List.of(0));
    // 4 tokens of 10 operations, 5 for the logits, 10 pairs of 2
    assertThat(work.limit(new Point.Prefill(4), 1, 650)).isEqualTo(40, offset(1e-9));
    // 100 bytes of weights once, and KV of 3 contexts of 50 tokens
    assertThat(work.limit(new Point.Decode(3, 50), 1000, 1)).isEqualTo(12, offset(1e-9));
  }

  @Test
  void limit_ofLayersWithAWindow_countsWhatTheySee() {
    ModelWork work = new ModelWork(100, Experts.NONE, 10, 5, 2, 1, List.of(0, 3));
    // 4 tokens of 10 operations, 5 for the logits, 10 and 9 pairs of 2
    assertThat(work.limit(new Point.Prefill(4), 1, 83)).isEqualTo(4, offset(1e-9));
    // 100 bytes of weights once, and of 3 contexts 50 and 3 tokens
    assertThat(work.limit(new Point.Decode(3, 50), 2590, 1)).isEqualTo(30, offset(1e-9));
  }

  @Test
  void limit_ofAMixture_countsTheExpertsThatABatchIsExpectedToUse() {
    ModelWork work = new ModelWork(100, new Experts(8, 2, 64), 10, 5, 2, 0, List.of(0));
    // one token: 2 of 8 experts; two tokens: 8 (1 - 0.75²) = 3.5; very many: all
    assertThat(work.limit(new Point.Decode(1, 1), 116, 1)).isEqualTo(1, offset(1e-9));
    assertThat(work.limit(new Point.Decode(2, 1), 128, 1)).isEqualTo(2, offset(1e-9));
    assertThat(work.limit(new Point.Decode(1000, 1), 164, 1)).isEqualTo(1000, offset(1e-9));
  }

  @Test
  void of_aMixture_keepsItsExpertsApartFromWhatEveryStepReads(@TempDir Path directory) {
    Path path = directory.resolve("m.gguf");
    SyntheticModel.Spec spec =
        new SyntheticModel.Spec(
            SyntheticModel.Architecture.QWEN3MOE, 2, 64, 96, 2, 1, 32, 300, TensorType.F32, 128);
    SyntheticModel.write(path, spec, 1, Progress.NONE);
    try (ModelFile file = ModelFile.open(path)) {
      ModelWork work = ModelWork.of(file, new LoadOptions(1, OptionalInt.empty(), KvType.F32));
      double expert = 3 * 64 * 96; // gate, up and down
      double attention = 64 * 32 * (2 + 1 + 1 + 2);
      double router = 64 * 8;
      assertThat(work.experts()).isEqualTo(new Experts(8, 2, 2 * 8 * expert * 4));
      assertThat(work.stepBytes()).isEqualTo(4 * (2 * (attention + router) + 300 * 64));
      assertThat(work.tokenFlops()).isEqualTo(2 * 2 * (attention + router + 2 * expert));
    }
  }
}
