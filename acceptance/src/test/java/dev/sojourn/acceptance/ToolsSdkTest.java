package dev.sojourn.acceptance;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.JsonValue;
import com.openai.core.http.StreamResponse;
import com.openai.helpers.ChatCompletionAccumulator;
import com.openai.models.FunctionDefinition;
import com.openai.models.FunctionParameters;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.chat.completions.ChatCompletionMessage;
import com.openai.models.chat.completions.ChatCompletionMessageFunctionToolCall;
import com.openai.models.chat.completions.ChatCompletionToolMessageParam;
import dev.sojourn.core.Tokens;
import dev.sojourn.engine.weights.ModelFile;
import dev.sojourn.server.GatedRunner;
import dev.sojourn.text.Tokenizer;
import java.io.BufferedReader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Loops of tools with the official clients, unmodified, and a model that says what it is told. */
class ToolsSdkTest {

  private static final String CALL =
      "Let me see.\n<tool_call>\n"
          + "{\"name\": \"weather\", \"arguments\": {\"city\": \"Bern\"}}\n</tool_call>";

  @TempDir Path directory;
  private final List<GatedRunner> runners = new ArrayList<>();

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void openAiJava_toolLoop_reusesAllButTheLastToken(boolean streamed) throws Exception {
    try (House house = open()) {
      say(CALL, "Sunny.");
      OpenAIClient client =
          OpenAIOkHttpClient.builder().baseUrl(house.url() + "/v1").apiKey("none").build();
      ChatCompletionCreateParams.Builder conversation =
          ChatCompletionCreateParams.builder()
              .model(House.MODEL)
              .maxCompletionTokens(200)
              .addFunctionTool(
                  FunctionDefinition.builder()
                      .name("weather")
                      .description("Tells the weather.")
                      .parameters(
                          FunctionParameters.builder()
                              .putAdditionalProperty("type", JsonValue.from("object"))
                              .build())
                      .build())
              .addUserMessage("How is it in Bern?")
              .putAdditionalBodyProperty(
                  "nvext", JsonValue.from(Map.of("session_control", session("open"))));
      ChatCompletion first = answer(client, conversation.build(), streamed);
      assertThat(first.choices().getFirst().finishReason().toString()).isEqualTo("tool_calls");
      ChatCompletionMessage message = first.choices().getFirst().message();
      assertThat(message.content()).contains("Let me see.");
      ChatCompletionMessageFunctionToolCall call =
          message.toolCalls().orElseThrow().getFirst().asFunction();
      assertThat(call.function().name()).isEqualTo("weather");
      assertThat(call.function().arguments()).isEqualTo("{\"city\": \"Bern\"}");

      conversation
          .addMessage(message)
          .addMessage(
              ChatCompletionToolMessageParam.builder().toolCallId(call.id()).content("sun").build())
          .putAdditionalBodyProperty(
              "nvext", JsonValue.from(Map.of("session_control", session("close"))));
      ChatCompletion second = answer(client, conversation.build(), false);
      assertThat(second.choices().getFirst().message().content()).contains("Sunny.");
      assertThat(
              second
                  .usage()
                  .orElseThrow()
                  .promptTokensDetails()
                  .orElseThrow()
                  .cachedTokens()
                  .orElseThrow())
          .isEqualTo(first.usage().orElseThrow().totalTokens() - 1);
      house.assertNothingHeld();
      client.close();
    }
  }

  @Test
  void openAiPython_toolLoop_wholeAndStreamed() throws Exception {
    String python = PythonSdkTest.python();
    try (House house = open()) {
      say(CALL, "Sunny.", CALL, "Sunny.");
      Process process =
          new ProcessBuilder(python, "src/test/python/tools.py", house.url())
              .redirectErrorStream(true)
              .start();
      String printed;
      try (BufferedReader reader = process.inputReader(UTF_8)) {
        printed = String.join("\n", reader.lines().toList());
      }
      assertThat(process.waitFor()).as("the script: %s", printed).isZero();
      house.assertNothingHeld();
    }
  }

  private static ChatCompletion answer(
      OpenAIClient client, ChatCompletionCreateParams params, boolean streamed) {
    if (!streamed) {
      return client.chat().completions().create(params);
    }
    ChatCompletionAccumulator whole = ChatCompletionAccumulator.create();
    ChatCompletionCreateParams asked =
        params.toBuilder()
            .putAdditionalBodyProperty(
                "stream_options", JsonValue.from(Map.of("include_usage", true)))
            .build();
    try (StreamResponse<ChatCompletionChunk> stream =
        client.chat().completions().createStreaming(asked)) {
      stream.stream().forEach(whole::accumulate);
    }
    return whole.chatCompletion();
  }

  private static Map<String, String> session(String action) {
    return Map.of("session_id", "tools", "action", action);
  }

  private House open() throws Exception {
    return House.open(
        directory,
        256,
        real -> {
          GatedRunner runner = new GatedRunner(real);
          runners.add(runner);
          return runner;
        });
  }

  /** Makes the next answers these, each of which ends behind its text. */
  private void say(String... answers) throws Exception {
    try (ModelFile file = ModelFile.open(directory.resolve(House.MODEL + ".gguf"));
        Tokenizer tokenizer = Tokenizer.of(file.vocabulary())) {
      Tokens end = Tokens.of(file.vocabulary().tokens().indexOf("<|im_end|>"));
      Tokens all = Tokens.EMPTY;
      for (String answer : answers) {
        all = all.concat(tokenizer.encode(answer)).concat(end);
      }
      runners.getFirst().say(all);
    }
  }
}
