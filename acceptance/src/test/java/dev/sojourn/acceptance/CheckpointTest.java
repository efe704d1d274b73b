package dev.sojourn.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.bench.GatewayClient;
import dev.sojourn.cli.Main;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** A sharded checkpoint that transformers wrote, from its directory to a chat's answer. */
class CheckpointTest {

  private static final Path QWEN3 =
      Path.of("../engine/src/test/resources/dev/sojourn/engine/weights/transformers/qwen3");

  @Test
  void chat_withACheckpoint_isRenderedByItsTemplateAndAnswered() throws Exception {
    try (House house = House.serving(QWEN3, "tiny-qwen3", 64)) {
      ObjectNode body = GatewayClient.object().put("model", "tiny-qwen3").put("max_tokens", 6);
      body.put("temperature", 0).put("ignore_eos", true);
      body.putArray("messages").addObject().put("role", "user").put("content", "the quick fox");
      JsonNode answer = house.client().post("/v1/chat/completions", body);
      // <s> and <|user|>, the three words, <|end|>; its template's <|assistant|> is no token.
      assertThat(answer.at("/usage/prompt_tokens").asInt()).isBetween(7, 40);
      assertThat(answer.at("/usage/completion_tokens").asInt()).isEqualTo(6);
      assertThat(answer.at("/choices/0/finish_reason").asString()).isEqualTo("length");
      assertThat(house.client().post("/v1/chat/completions", body).at("/choices/0/message"))
          .isEqualTo(answer.at("/choices/0/message"));
    }
  }

  @Test
  void modelInfo_ofACheckpoint_showsWhatItHolds() {
    StringWriter out = new StringWriter();
    PrintWriter writer = new PrintWriter(out, true);
    assertThat(Main.run(List.of("model", "info", QWEN3.toString()), Map.of(), writer, writer))
        .as(out.toString())
        .isZero();
    assertThat(out.toString())
        .contains("safetensors", "architecture  qwen3", "25 BF16", "416 tokens, tokenizer.json");
  }
}
