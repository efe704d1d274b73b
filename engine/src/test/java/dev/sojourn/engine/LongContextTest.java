package dev.sojourn.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.AgentHints;
import dev.sojourn.core.Clock;
import dev.sojourn.core.Fault;
import dev.sojourn.core.FinishReason;
import dev.sojourn.core.Namespace;
import dev.sojourn.core.Tokens;
import dev.sojourn.engine.model.LoadOptions;
import dev.sojourn.engine.model.LoadedModel;
import dev.sojourn.engine.sample.SamplingParameters;
import dev.sojourn.engine.sample.TopLogprobs;
import dev.sojourn.engine.weights.ModelFile;
import dev.sojourn.engine.weights.Progress;
import dev.sojourn.engine.weights.SyntheticModel;
import dev.sojourn.engine.weights.TensorType;
import dev.sojourn.text.TokenBytes;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A context of 32,768 tokens, through the engine: all that a real model does but its width. */
@Timeout(300)
class LongContextTest {

  private static final int CONTEXT = 32_768;
  private static final int ANSWER = 24;
  private static final int VOCABULARY = 300;

  private static final Tokens PROMPT =
      Tokens.of(new Random(9).ints(CONTEXT - ANSWER, 0, VOCABULARY).toArray());

  @TempDir Path directory;

  @Test
  void turn_ofAContextFullInAnyChunks_hasTheSameLogits_andIsComputedOnce() {
    SyntheticModel.write(
        directory.resolve("m.gguf"),
        new SyntheticModel.Spec(
            SyntheticModel.Architecture.QWEN3,
            1,
            32,
            32,
            1,
            1,
            16,
            VOCABULARY,
            TensorType.F32,
            CONTEXT),
        1,
        Progress.NONE);
    try (ModelFile file = ModelFile.open(directory.resolve("m.gguf"));
        LoadedModel model = LoadedModel.load(file, LoadOptions.defaults(), Progress.NONE)) {
      TokenBytes spelling = TokenBytes.of(file.vocabulary());
      List<Integer> expected = bits(model, spelling, 256);
      assertThat(expected).hasSize(ANSWER * (2 + VOCABULARY));
      assertThat(bits(model, spelling, 2_000)).isEqualTo(expected);
    }
  }

  /** Returns the ids of an answer and the bits of all log probabilities at each. */
  private static List<Integer> bits(LoadedModel model, TokenBytes spelling, int chunk) {
    EngineConfig config =
        new EngineConfig(1, chunk, 1, 1, 512, 0.8, EvictionPolicy.LRU, Duration.ofMinutes(5));
    try (Engine engine =
        new Engine(
            "engine-test", model.newRunner(CONTEXT / 16), spelling, config, Clock.system())) {
      Answer answer = new Answer();
      engine.submit(
          new TurnRequest(
              "long",
              Namespace.DEFAULT,
              Optional.empty(),
              PROMPT,
              ANSWER,
              SamplingParameters.GREEDY,
              StopRules.NONE,
              OptionalInt.of(VOCABULARY),
              AgentHints.NONE),
          answer);
      assertThat(answer.end.join().reason()).isEqualTo(FinishReason.LENGTH);
      engine.check().join();
      EngineStats stats = engine.stats();
      assertThat(stats.computedTokens()).isEqualTo(CONTEXT - 1);
      assertThat(stats.steps()).isEqualTo(Math.ceilDiv(PROMPT.length(), chunk) + ANSWER - 1);
      // One that went over the context for each token would take as long as attention does.
      assertThat(stats.engineCpuNanos()).isLessThan(stats.modelCpuNanos() / 2);
      return answer.bits;
    }
  }

  private static final class Answer implements TurnSink {

    final CompletableFuture<TurnEnd> end = new CompletableFuture<>();
    final List<Integer> bits = new ArrayList<>();

    @Override
    public void accepted() {}

    @Override
    public void started(TurnStart start) {}

    @Override
    public void token(int id, float logprob, TopLogprobs top, int visibleBytes) {
      bits.add(id);
      bits.add(Float.floatToIntBits(logprob));
      for (int i = 0; i < top.size(); i++) {
        bits.add(31 * top.id(i) + Float.floatToIntBits(top.logprob(i)));
      }
    }

    @Override
    public void finished(TurnEnd ended) {
      end.complete(ended);
    }

    @Override
    public void failed(Fault fault) {
      end.completeExceptionally(fault.asException());
    }
  }
}
