package dev.sojourn.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.cli.Main;
import dev.sojourn.engine.weights.Progress;
import dev.sojourn.engine.weights.SyntheticModel;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** {@code bench engine} with real processes: our engine, and a peer that has classes as one has. */
class EngineBenchTest {

  /** What our driver calls of llama3.java, without a model behind it. */
  private static final String STAND_IN =
      """
      package com.llama4j;

      import java.nio.file.Path;
      import java.util.*;
      import java.util.function.IntConsumer;

      interface Sampler { Sampler ARGMAX = new Sampler() {}; }

      class ModelLoader {
        static Llama loadModel(Path path, int context, boolean loadWeights) {
          return new Llama(new Llama.Configuration());
        }
      }

      record Llama(Llama.Configuration configuration) {
        static class Configuration { public final int vocabularySize = 300; }
        static class State { State(Configuration configuration, int batch) {} }
        static List<Integer> generateTokens(
            Llama model, State state, int start, List<Integer> prompt, Set<Integer> stop, int end,
            Sampler sampler, boolean echo, IntConsumer heard) {
          for (int position = start + prompt.size(); position < end; position++) {
            String work = "x".repeat(100_000);
            heard.accept(work.length());
          }
          System.out.println("what a peer prints");
          return prompt;
        }
      }
      """;

  @TempDir Path directory;

  @Test
  void benchEngine_besideAPeer_measuresBoth() throws Exception {
    Path peer = Files.writeString(directory.resolve("Llama3.java"), STAND_IN);
    Path plot = directory.resolve("engine.svg");
    StringWriter out = new StringWriter();
    int exit = bench(out, "--vs=llama3.java=" + peer, "--json", "--plot=" + plot, "--threads=1");
    JsonNode json = JsonMapper.shared().readTree(out.toString());
    assertThat(exit).as(out.toString()).isZero();
    assertThat(json.path("machine").path("read_bytes_per_second").asDouble()).isPositive();
    for (int point = 0; point < 3; point++) {
      JsonNode ours = json.path("points").path(point).path("tokens_per_second").path("sojourn");
      assertThat(ours.path("rounds").size()).isEqualTo(3);
      assertThat(ours.path("median").asDouble()).isPositive();
      assertThat(json.path("points").path(point).path("share_of_limit").asDouble()).isPositive();
    }
    JsonNode prefill = json.path("points").path(0);
    assertThat(prefill.path("ratio").path("llama3.java").asDouble()).isPositive();
    JsonNode batch = json.path("points").path(2);
    assertThat(batch.path("tokens_per_second").path("llama3.java").path("missing").asString())
        .isEqualTo("one sequence at a time");
    assertThat(json.path("sides").path(0).path("ready_ms").path("median").asDouble()).isPositive();
    assertThat(plot).content().startsWith("<svg ").contains("llama3.java");
  }

  @Test
  void benchEngine_forAPerson_isATable() throws Exception {
    StringWriter out = new StringWriter();
    assertThat(bench(out)).isZero();
    assertThat(out.toString())
        .containsPattern("(?m)^point +sojourn +of the limit$")
        .containsPattern("(?m)^prefill 20 +[0-9.]+ \\([0-9.]+–[0-9.]+\\) +[0-9]+ %$")
        .containsPattern("(?m)^decode 2 at 30 +[0-9.]+ ")
        .containsPattern("(?m)^side +loaded, ms +ready, ms ");
  }

  private int bench(StringWriter out, String... more) {
    Path model = directory.resolve("m.gguf");
    SyntheticModel.write(model, SyntheticModel.Spec.small(), 1, Progress.NONE);
    List<String> words = new ArrayList<>(List.of("bench", "engine", "--quick"));
    words.addAll(List.of("--prefill=20", "--context=30", "--batch=1,2", "--model=" + model));
    words.addAll(List.of(more));
    PrintWriter heard = new PrintWriter(new StringWriter());
    return Main.run(words, Map.of(), new PrintWriter(out, true), heard);
  }
}
