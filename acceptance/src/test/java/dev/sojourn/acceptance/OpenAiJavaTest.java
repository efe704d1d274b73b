package dev.sojourn.acceptance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.JsonValue;
import com.openai.core.Timeout;
import com.openai.core.http.StreamResponse;
import com.openai.errors.BadRequestException;
import com.openai.errors.OpenAIException;
import com.openai.errors.OpenAIServiceException;
import com.openai.errors.SseException;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.chat.completions.ChatCompletionStreamOptions;
import com.openai.models.completions.CompletionUsage;
import dev.sojourn.server.GatedRunner;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The official Java client, unmodified. */
class OpenAiJavaTest {

  @TempDir Path directory;

  @Test
  void thirtyTurns_openToClose_reuseAllAndGiveItBack() throws Exception {
    try (House house = House.open(directory, 1, 512)) {
      OpenAIClient client = client(house);
      ThirtyTurns turns = new ThirtyTurns(house, "openai-java");
      ChatCompletionCreateParams.Builder conversation =
          ChatCompletionCreateParams.builder()
              .model(House.MODEL)
              .maxCompletionTokens(ThirtyTurns.MAX_TOKENS)
              .streamOptions(ChatCompletionStreamOptions.builder().includeUsage(true).build());
      for (int turn = 1; turn <= ThirtyTurns.TURNS; turn++) {
        conversation.addUserMessage(ThirtyTurns.question(turn));
        conversation.putAdditionalBodyProperty("nvext", JsonValue.from(turns.nvext(turn)));
        List<ChatCompletionChunk> chunks;
        try (StreamResponse<ChatCompletionChunk> stream =
            client.chat().completions().createStreaming(conversation.build())) {
          chunks = stream.stream().toList();
        }
        StringBuilder text = new StringBuilder();
        for (ChatCompletionChunk chunk : chunks) {
          chunk.choices().forEach(choice -> choice.delta().content().ifPresent(text::append));
        }
        conversation.addAssistantMessage(text.toString());
        CompletionUsage usage =
            chunks.stream().flatMap(chunk -> chunk.usage().stream()).findFirst().orElseThrow();
        turns.took(
            turn,
            usage.promptTokens(),
            usage.completionTokens(),
            usage.promptTokensDetails().orElseThrow().cachedTokens().orElseThrow());
        assertThat(chunks.stream().anyMatch(c -> c._allProperties().containsKey("nvext")))
            .as("nvext reaches the caller")
            .isTrue();
      }
      turns.closed();
      client.close();
    }
  }

  /** Most programs read {@code choices[0]} of every chunk; they ask for no usage. */
  @Test
  void streamOfASession_hasAChoiceInEveryChunk_andNvextWithTheFinishReason() throws Exception {
    try (House house = House.open(directory, 1, 64)) {
      OpenAIClient client = client(house);
      for (String action : List.of("open", "close")) {
        List<ChatCompletionChunk> chunks;
        try (StreamResponse<ChatCompletionChunk> stream =
            client
                .chat()
                .completions()
                .createStreaming(chat(session(Map.of("action", action))).build())) {
          chunks = stream.stream().toList();
        }
        for (ChatCompletionChunk chunk : chunks) {
          assertThat(chunk._allProperties().containsKey("nvext"))
              .isEqualTo(chunk.choices().getFirst().finishReason().isPresent());
        }
      }
      house.assertNothingHeld();
      client.close();
    }
  }

  @Test
  void toolsThatAreNoFunctions_areABadRequestAndNotRetried() throws Exception {
    try (House house = House.open(directory, 1, 64)) {
      OpenAIClient client = client(house);
      ChatCompletionCreateParams params =
          ChatCompletionCreateParams.builder()
              .model(House.MODEL)
              .addUserMessage("hello")
              .putAdditionalBodyProperty(
                  "tools", JsonValue.from(List.of(Map.of("type", "web_search"))))
              .build();
      assertThatThrownBy(() -> client.chat().completions().create(params))
          .isInstanceOf(BadRequestException.class)
          .hasMessageContaining("tools");
      house.assertNothingHeld();
      client.close();
    }
  }

  /** The SDK sends a 409 three times, unless it is told that this cannot help. */
  @Test
  void conflict_isSentOnceOnly() throws Exception {
    try (House house = House.open(directory, 1, 64)) {
      OpenAIClient client = client(house);
      client.chat().completions().create(chat(session(Map.of("action", "open"))).build());
      ChatCompletionCreateParams wrongTip =
          chat(session(Map.of("input", "delta", "expected_tip", 1))).build();

      assertThatThrownBy(() -> client.chat().completions().create(wrongTip))
          .isInstanceOf(OpenAIServiceException.class)
          .hasMessageContaining("409");

      assertThat(house.client().metrics().sum("sojourn_http_requests_total", "status=\"409\""))
          .isEqualTo(1);
      client.close();
    }
  }

  /** The SDK sends a request again, of its own accord, where the network lost the answer. */
  @Test
  void deltaWhoseAnswerTheNetworkLost_isSaidOnce_andAnsweredAsThen() throws Exception {
    try (House house = House.open(directory, 1, 64);
        LosingNetwork network = new LosingNetwork(house.url())) {
      OpenAIClient client = client(network.url());
      long tip = held(client, Map.of("action", "open"));
      network.loseNextAnswer();
      long next = held(client, Map.of("input", "delta", "expected_tip", tip));
      assertThat(network.loses()).isFalse();
      assertThat(house.client().metrics().sum("sojourn_repeated_turns_total")).isEqualTo(1);
      assertThat(house.client().metrics().sum("sojourn_turns_total")).isEqualTo(2);
      long last = held(client, Map.of("input", "delta", "expected_tip", next, "action", "close"));
      assertThat(last).isGreaterThan(next);
      house.assertNothingHeld();
      client.close();
    }
  }

  /** Takes a turn; returns how much the session then held. */
  private static long held(OpenAIClient client, Map<String, Object> control) {
    return client
        .chat()
        .completions()
        .create(chat(session(control)).build())
        .usage()
        .orElseThrow()
        .totalTokens();
  }

  /** A stream that merely stopped would look complete to the SDK. */
  @Test
  void modelThatFailsInTheMiddleOfAStream_isAnErrorToTheCaller() throws Exception {
    try (House house = House.open(directory, 64, runner -> new GatedRunner(runner).failBehind(4))) {
      OpenAIClient client = client(house);
      ChatCompletionCreateParams params =
          chat(Map.of("ignore_eos", true)).maxCompletionTokens(50).build();
      List<ChatCompletionChunk> received = new ArrayList<>();

      assertThatThrownBy(
              () -> {
                try (StreamResponse<ChatCompletionChunk> stream =
                    client.chat().completions().createStreaming(params)) {
                  stream.stream().forEach(received::add);
                }
              })
          .isInstanceOf(SseException.class)
          .hasMessageContaining("model failed");

      assertThat(received).isNotEmpty();
      Eventually.passes(house::assertNothingHeld);
      client.close();
    }
  }

  /** The SDK's request timeout ends a healthy stream too; the turn must end with it. */
  @Test
  void streamThatTheClientsAbsoluteTimeoutCuts_isCancelled() throws Exception {
    try (House house = House.open(directory, 1, 2048)) {
      OpenAIClient client =
          OpenAIOkHttpClient.builder()
              .baseUrl(house.url() + "/v1")
              .apiKey("none")
              .maxRetries(0)
              .timeout(Timeout.builder().request(Duration.ofMillis(800)).build())
              .build();
      ChatCompletionCreateParams params =
          chat(Map.of("ignore_eos", true)).maxCompletionTokens(30_000).build();

      assertThatThrownBy(
              () -> {
                try (StreamResponse<ChatCompletionChunk> stream =
                    client.chat().completions().createStreaming(params)) {
                  stream.stream().forEach(_ -> {});
                }
              })
          .isInstanceOf(OpenAIException.class);

      Eventually.passes(house::assertNothingHeld);
      assertThat(house.client().metrics().sum("sojourn_engine_sampled_tokens_total"))
          .as("tokens of the turn that was cut")
          .isLessThan(30_000);
      client.close();
    }
  }

  private static ChatCompletionCreateParams.Builder chat(Map<String, Object> more) {
    ChatCompletionCreateParams.Builder chat =
        ChatCompletionCreateParams.builder()
            .model(House.MODEL)
            .addUserMessage("hello")
            .maxCompletionTokens(4);
    more.forEach((name, value) -> chat.putAdditionalBodyProperty(name, JsonValue.from(value)));
    return chat;
  }

  private static Map<String, Object> session(Map<String, Object> control) {
    Map<String, Object> named = new HashMap<>(control);
    named.put("session_id", "java");
    return Map.of("nvext", Map.of("session_control", named));
  }

  private static OpenAIClient client(House house) {
    return client(house.url());
  }

  private static OpenAIClient client(String url) {
    return OpenAIOkHttpClient.builder().baseUrl(url + "/v1").apiKey("none").build();
  }
}
