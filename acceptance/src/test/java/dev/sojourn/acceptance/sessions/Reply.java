package dev.sojourn.acceptance.sessions;

import java.net.http.HttpResponse;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * What a gateway answered to a chat, whether in a stream or whole.
 *
 * @param code of a fault; empty of an answer
 * @param body the whole answer, or a stream's last chunk
 * @param content what was said
 */
record Reply(int status, String code, JsonNode body, String content, String finish) {

  static Reply of(HttpResponse<String> response) {
    String text = response.body();
    if (response.statusCode() != 200) {
      JsonNode error = json(text);
      return new Reply(
          response.statusCode(), error.path("error").path("code").asString(""), error, "", "");
    }
    if (!text.startsWith("data:")) {
      JsonNode body = json(text);
      JsonNode choice = body.path("choices").path(0);
      return new Reply(
          200,
          "",
          body,
          choice.path("message").path("content").asString(""),
          choice.path("finish_reason").asString(""));
    }
    List<JsonNode> chunks =
        text.lines()
            .filter(line -> line.startsWith("data: {"))
            .map(line -> json(line.substring(6)))
            .toList();
    StringBuilder content = new StringBuilder();
    String finish = "";
    for (JsonNode chunk : chunks) {
      JsonNode choice = chunk.path("choices").path(0);
      content.append(choice.path("delta").path("content").asString(""));
      finish = choice.path("finish_reason").asString(finish);
    }
    return new Reply(200, "", chunks.getLast(), content.toString(), finish);
  }

  private static JsonNode json(String text) {
    return JsonMapper.shared().readTree(text);
  }

  boolean isAnswer() {
    return status == 200;
  }

  JsonNode prompt() {
    return body.path("nvext").path("prompt_token_ids");
  }

  JsonNode completion() {
    return body.path("nvext").path("completion_token_ids");
  }

  JsonNode session() {
    return body.path("nvext").path("session");
  }

  String mode() {
    return session().path("mode").asString("none");
  }

  /** Returns the calls of a whole answer. */
  JsonNode calls() {
    return body.path("choices").path(0).path("message").path("tool_calls");
  }

  /** Returns it as the message that clients send back. */
  Map<String, ?> message() {
    if (calls().isEmpty()) {
      return Map.of("role", "assistant", "content", content);
    }
    return Map.of(
        "role",
        "assistant",
        "content",
        content,
        "tool_calls",
        JsonMapper.shared().convertValue(calls(), List.class));
  }
}
