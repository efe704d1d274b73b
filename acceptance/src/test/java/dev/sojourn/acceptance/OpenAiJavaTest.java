package dev.sojourn.acceptance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.JsonValue;
import com.openai.core.http.StreamResponse;
import com.openai.errors.BadRequestException;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.chat.completions.ChatCompletionStreamOptions;
import com.openai.models.completions.CompletionUsage;
import java.nio.file.Path;
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

  @Test
  void toolsThatDoNotWorkYet_areABadRequestAndNotRetried() throws Exception {
    try (House house = House.open(directory, 1, 64)) {
      OpenAIClient client = client(house);
      ChatCompletionCreateParams params =
          ChatCompletionCreateParams.builder()
              .model(House.MODEL)
              .addUserMessage("hello")
              .putAdditionalBodyProperty(
                  "tools",
                  JsonValue.from(
                      List.of(Map.of("type", "function", "function", Map.of("name", "f")))))
              .build();
      assertThatThrownBy(() -> client.chat().completions().create(params))
          .isInstanceOf(BadRequestException.class)
          .hasMessageContaining("tools");
      house.assertNothingHeld();
      client.close();
    }
  }

  private static OpenAIClient client(House house) {
    return OpenAIOkHttpClient.builder().baseUrl(house.url() + "/v1").apiKey("none").build();
  }
}
