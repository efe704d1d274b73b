package dev.sojourn.acceptance;

import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.ChatMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.openai.OpenAiChatRequestParameters;
import dev.langchain4j.model.openai.OpenAiStreamingChatModel;
import dev.langchain4j.model.openai.OpenAiTokenUsage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** LangChain4j, unmodified: its HTTP client offers h2c with every request. */
class LangChain4jTest {

  @TempDir Path directory;

  @Test
  void thirtyTurns_openToClose_reuseAllAndGiveItBack() throws Exception {
    try (House house = House.open(directory, 1, 512)) {
      OpenAiStreamingChatModel model =
          OpenAiStreamingChatModel.builder()
              .baseUrl(house.url() + "/v1")
              .apiKey("none")
              .modelName(House.MODEL)
              .build();
      ThirtyTurns turns = new ThirtyTurns(house, "langchain4j");
      List<ChatMessage> messages = new ArrayList<>();
      for (int turn = 1; turn <= ThirtyTurns.TURNS; turn++) {
        messages.add(UserMessage.from(ThirtyTurns.question(turn)));
        ChatRequest request =
            ChatRequest.builder()
                .messages(messages)
                .parameters(
                    OpenAiChatRequestParameters.builder()
                        .maxOutputTokens(ThirtyTurns.MAX_TOKENS)
                        .customParameters(Map.of("nvext", turns.nvext(turn)))
                        .build())
                .build();
        ChatResponse response = stream(model, request);
        messages.add(AiMessage.from(response.aiMessage().text()));
        OpenAiTokenUsage usage = (OpenAiTokenUsage) response.tokenUsage();
        turns.took(
            turn,
            usage.inputTokenCount(),
            usage.outputTokenCount(),
            usage.inputTokensDetails().cachedTokens());
      }
      turns.closed();
    }
  }

  private static ChatResponse stream(OpenAiStreamingChatModel model, ChatRequest request)
      throws Exception {
    CompletableFuture<ChatResponse> answer = new CompletableFuture<>();
    model.chat(
        request,
        new StreamingChatResponseHandler() {
          @Override
          public void onPartialResponse(String text) {}

          @Override
          public void onCompleteResponse(ChatResponse response) {
            answer.complete(response);
          }

          @Override
          public void onError(Throwable error) {
            answer.completeExceptionally(error);
          }
        });
    return answer.get(60, TimeUnit.SECONDS);
  }
}
