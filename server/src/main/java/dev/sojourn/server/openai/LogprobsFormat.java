package dev.sojourn.server.openai;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.sojourn.backend.Generation.Event;
import dev.sojourn.text.TokenBytes;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Log probabilities in both of OpenAI's dialects. What has no probability at all is told as {@value
 * #IMPOSSIBLE}, since JSON has no infinity. Immutable.
 */
final class LogprobsFormat {

  private static final double IMPOSSIBLE = -9999.0; // OpenAI's

  private final TokenBytes spelling;

  LogprobsFormat(TokenBytes spelling) {
    this.spelling = spelling;
  }

  /** Writes those of chat answers. */
  Map<String, @Nullable Object> chat(List<Event.Token> tokens) {
    List<Object> content = new ArrayList<>();
    for (Event.Token token : tokens) {
      Map<String, Object> entry = entry(token.id(), token.logprob());
      List<Object> top = new ArrayList<>();
      for (int i = 0; i < token.top().size(); i++) {
        top.add(entry(token.top().id(i), token.top().logprob(i)));
      }
      entry.put("top_logprobs", top);
      content.add(entry);
    }
    Map<String, @Nullable Object> logprobs = new LinkedHashMap<>();
    logprobs.put("content", content);
    logprobs.put("refusal", null);
    return logprobs;
  }

  /**
   * Writes those of completions.
   *
   * @param offset where the first token begins in the answer's text
   */
  Map<String, @Nullable Object> completion(List<Event.Token> tokens, int offset) {
    List<String> spelled = new ArrayList<>();
    List<Double> logprobs = new ArrayList<>();
    List<Map<String, Double>> tops = new ArrayList<>();
    List<Integer> offsets = new ArrayList<>();
    int at = offset;
    for (Event.Token token : tokens) {
      String text = text(token.id());
      spelled.add(text);
      logprobs.add(finite(token.logprob()));
      offsets.add(at);
      at += text.length();
      Map<String, Double> top = new LinkedHashMap<>();
      for (int i = 0; i < token.top().size(); i++) {
        top.putIfAbsent(text(token.top().id(i)), finite(token.top().logprob(i)));
      }
      tops.add(top);
    }
    Map<String, @Nullable Object> all = new LinkedHashMap<>();
    all.put("tokens", spelled);
    all.put("token_logprobs", logprobs);
    all.put("top_logprobs", tops);
    all.put("text_offset", offsets);
    return all;
  }

  private Map<String, Object> entry(int id, float logprob) {
    Map<String, Object> entry = new LinkedHashMap<>();
    entry.put("token", text(id));
    entry.put("logprob", finite(logprob));
    List<Integer> bytes = new ArrayList<>();
    for (byte b : spelling.raw(id)) {
      bytes.add(b & 0xff);
    }
    entry.put("bytes", bytes);
    return entry;
  }

  private String text(int id) {
    return new String(spelling.raw(id), UTF_8);
  }

  private static double finite(float logprob) {
    return Float.isInfinite(logprob) ? IMPOSSIBLE : logprob;
  }
}
