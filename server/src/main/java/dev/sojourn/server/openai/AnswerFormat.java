package dev.sojourn.server.openai;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.sojourn.backend.Generation.Event;
import dev.sojourn.core.FinishReason;
import dev.sojourn.server.prompt.Answer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.io.JsonStringEncoder;
import tools.jackson.databind.json.JsonMapper;

/**
 * How one answer is written: as a chat's or as a completion's, whole or in chunks.
 *
 * <p>A chunk of text is what comes before the text, the same for all of a choice's chunks and
 * rendered once, the text, escaped, and what comes after it: fifteen times cheaper than a JSON
 * generator for each token. Immutable.
 */
final class AnswerFormat {

  private static final JsonMapper JSON = JsonMapper.shared();

  private final boolean chat;
  private final boolean namesTool;
  private final String id;
  private final long created;
  private final String model;
  private final boolean usageInChunks;
  private final LogprobsFormat logprobs;

  /**
   * Creates the format of one answer.
   *
   * @param chat whether it is a chat's
   * @param namesTool whether the request names the tool to be called: then a call is no reason to
   *     end, as with OpenAI
   * @param id the answer's id
   * @param created seconds since the epoch
   * @param model the model's id
   * @param usageInChunks whether every chunk has a usage, null but for the last: as OpenAI does
   *     where a client asks for usage
   */
  AnswerFormat(
      boolean chat,
      boolean namesTool,
      String id,
      long created,
      String model,
      boolean usageInChunks,
      LogprobsFormat logprobs) {
    this.chat = chat;
    this.namesTool = namesTool;
    this.id = id;
    this.created = created;
    this.model = model;
    this.usageInChunks = usageInChunks;
    this.logprobs = logprobs;
  }

  /** What surrounds the text of a choice's chunks. */
  @SuppressWarnings("ArrayRecordComponent") // rendered once and sent; never compared
  record TextChunk(byte[] before, byte[] after) {}

  /**
   * Renders what surrounds the text of a choice's chunks without log probabilities.
   *
   * @param field what a chat's text is told as: {@code content}, {@code reasoning_content}
   */
  TextChunk textChunk(int index, String field) {
    String mark = "\u0000";
    Object said = chat ? Map.of(field, mark) : mark;
    String chunk = new String(chunk(index, said, null), UTF_8);
    String quoted = "\\u0000";
    int at = chunk.indexOf(quoted);
    return new TextChunk(
        chunk.substring(0, at).getBytes(UTF_8),
        chunk.substring(at + quoted.length()).getBytes(UTF_8));
  }

  /** Escapes text for its place in a {@link TextChunk}. */
  static byte[] escaped(String text) {
    return JsonStringEncoder.getInstance().quoteAsUTF8(text);
  }

  /** Renders the chunk that opens a chat's choice. */
  byte[] roleChunk(int index) {
    Map<String, Object> delta = new LinkedHashMap<>();
    delta.put("role", "assistant");
    delta.put("content", "");
    return bytes(envelope(true, List.of(choice(index, "delta", delta, null, null))));
  }

  /**
   * Renders a chunk of text with log probabilities.
   *
   * @param tokens those that the chunk settles
   * @param offset where the first of them begins in the text
   */
  byte[] logprobsChunk(int index, String text, List<Event.Token> tokens, int offset) {
    return chunk(index, said(text), tokens(tokens, offset));
  }

  /** Renders the chunk that begins a call of a tool. */
  byte[] callChunk(int index, int call, String id, String name) {
    Map<String, Object> begun = new LinkedHashMap<>();
    begun.put("index", call);
    begun.put("id", id);
    begun.put("type", "function");
    begun.put("function", Map.of("name", name, "arguments", ""));
    return chunk(index, Map.of("tool_calls", List.of(begun)), null);
  }

  /** Renders a chunk of a call's arguments. */
  byte[] argumentsChunk(int index, int call, String json) {
    Map<String, Object> more = new LinkedHashMap<>();
    more.put("index", call);
    more.put("function", Map.of("arguments", json));
    return chunk(index, Map.of("tool_calls", List.of(more)), null);
  }

  /**
   * Renders the chunk that tells why a choice ended.
   *
   * @param calls whether it calls tools
   * @param nvext what is told beside it; null for nothing
   */
  byte[] finishChunk(
      int index, FinishReason why, boolean calls, @Nullable Map<String, Object> nvext) {
    String reason = Metadata.finishReason(why, calls && !namesTool);
    Object nothing = chat ? Map.of() : "";
    Map<String, @Nullable Object> chunk =
        envelope(true, List.of(choice(index, chat ? "delta" : "text", nothing, null, reason)));
    if (nvext != null) {
      chunk.put("nvext", nvext);
    }
    return bytes(chunk);
  }

  /** Renders the chunk behind all choices. */
  byte[] usageChunk(Map<String, Object> usage) {
    Map<String, @Nullable Object> last = envelope(true, List.of());
    last.put("usage", usage);
    return bytes(last);
  }

  /** Renders the answer to a request that only asks where it would go: no choices, no usage. */
  byte[] placement(TurnRunner.Placement placement, boolean chunk) {
    Map<String, @Nullable Object> answer = envelope(chunk, List.of());
    answer.put("nvext", Metadata.placement(placement));
    return bytes(answer);
  }

  /** Renders the whole answer. */
  byte[] whole(List<TurnResult> results) {
    List<Object> choices = new ArrayList<>();
    for (int i = 0; i < results.size(); i++) {
      TurnResult result = results.get(i);
      Map<String, @Nullable Object> probabilities =
          result.spec().options().logprobs() ? tokens(result.tokens(), 0) : null;
      Answer answer = result.answer();
      boolean calls = !answer.calls().isEmpty() && !namesTool;
      String reason = Metadata.finishReason(result.end().reason(), calls);
      Object said = chat ? message(answer) : answer.text();
      choices.add(choice(i, chat ? "message" : "text", said, probabilities, reason));
    }
    Map<String, @Nullable Object> whole = envelope(false, choices);
    whole.put("usage", Metadata.usage(results));
    whole.put("nvext", Metadata.nvext(results));
    return bytes(whole);
  }

  private static Map<String, @Nullable Object> message(Answer answer) {
    Map<String, @Nullable Object> message = new LinkedHashMap<>();
    message.put("role", "assistant");
    message.putAll(answer.message());
    message.put("refusal", null);
    return message;
  }

  private Object said(String text) {
    return chat ? Map.of("content", text) : text;
  }

  private byte[] chunk(
      int index, Object said, @Nullable Map<String, @Nullable Object> probabilities) {
    return bytes(
        envelope(true, List.of(choice(index, chat ? "delta" : "text", said, probabilities, null))));
  }

  private static Map<String, @Nullable Object> choice(
      int index,
      String key,
      Object said,
      @Nullable Map<String, @Nullable Object> probabilities,
      @Nullable String finishReason) {
    Map<String, @Nullable Object> choice = new LinkedHashMap<>();
    choice.put("index", index);
    choice.put(key, said);
    choice.put("logprobs", probabilities);
    choice.put("finish_reason", finishReason);
    return choice;
  }

  private Map<String, @Nullable Object> envelope(boolean chunk, List<?> choices) {
    Map<String, @Nullable Object> envelope = new LinkedHashMap<>();
    envelope.put("id", id);
    envelope.put(
        "object", chat ? (chunk ? "chat.completion.chunk" : "chat.completion") : "text_completion");
    envelope.put("created", created);
    envelope.put("model", model);
    envelope.put("choices", choices);
    if (chunk && usageInChunks) {
      envelope.put("usage", null);
    }
    return envelope;
  }

  private Map<String, @Nullable Object> tokens(List<Event.Token> tokens, int offset) {
    return chat ? logprobs.chat(tokens) : logprobs.completion(tokens, offset);
  }

  private static byte[] bytes(Object tree) {
    return JSON.writeValueAsBytes(tree);
  }
}
