package dev.sojourn.server.openai;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.sojourn.backend.Generation.Event;
import dev.sojourn.core.FinishReason;
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
  private final String id;
  private final long created;
  private final String model;
  private final boolean usageInChunks;
  private final LogprobsFormat logprobs;

  /**
   * Creates the format of one answer.
   *
   * @param chat whether it is a chat's
   * @param id the answer's id
   * @param created seconds since the epoch
   * @param model the model's id
   * @param usageInChunks whether every chunk has a usage, null but for the last: as OpenAI does
   *     where a client asks for usage
   */
  AnswerFormat(
      boolean chat,
      String id,
      long created,
      String model,
      boolean usageInChunks,
      LogprobsFormat logprobs) {
    this.chat = chat;
    this.id = id;
    this.created = created;
    this.model = model;
    this.usageInChunks = usageInChunks;
    this.logprobs = logprobs;
  }

  /** What surrounds the text of a choice's chunks. */
  @SuppressWarnings("ArrayRecordComponent") // rendered once and sent; never compared
  record TextChunk(byte[] before, byte[] after) {}

  /** Renders what surrounds the text of a choice's chunks without log probabilities. */
  TextChunk textChunk(int index) {
    String mark = "\u0000";
    String chunk = new String(chunk(index, mark, null, null), UTF_8);
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
    return chunk(index, text, tokens(tokens, offset), null);
  }

  /** Renders the chunk that tells why a choice ended. */
  byte[] finishChunk(int index, FinishReason why) {
    String reason = Metadata.finishReason(why);
    if (chat) {
      return bytes(envelope(true, List.of(choice(index, "delta", Map.of(), null, reason))));
    }
    return chunk(index, "", null, reason);
  }

  /** Renders the chunk behind all choices. */
  byte[] lastChunk(@Nullable Map<String, Object> usage, @Nullable Map<String, Object> nvext) {
    Map<String, @Nullable Object> last = envelope(true, List.of());
    if (usage != null) {
      last.put("usage", usage);
    }
    if (nvext != null) {
      last.put("nvext", nvext);
    }
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
      String reason = Metadata.finishReason(result.end().reason());
      Object said = result.answer().text();
      if (chat) {
        Map<String, @Nullable Object> message = new LinkedHashMap<>();
        message.put("role", "assistant");
        message.put("content", result.answer().text());
        message.put("refusal", null);
        said = message;
      }
      choices.add(choice(i, chat ? "message" : "text", said, probabilities, reason));
    }
    Map<String, @Nullable Object> answer = envelope(false, choices);
    answer.put("usage", Metadata.usage(results));
    answer.put("nvext", Metadata.nvext(results));
    return bytes(answer);
  }

  private byte[] chunk(
      int index,
      String text,
      @Nullable Map<String, @Nullable Object> probabilities,
      @Nullable String finishReason) {
    Object said = chat ? Map.of("content", text) : text;
    return bytes(
        envelope(
            true,
            List.of(choice(index, chat ? "delta" : "text", said, probabilities, finishReason))));
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
