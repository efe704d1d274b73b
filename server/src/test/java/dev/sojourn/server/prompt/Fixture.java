package dev.sojourn.server.prompt;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import dev.sojourn.core.FinishReason;
import dev.sojourn.core.ManualClock;
import dev.sojourn.core.Tokens;
import dev.sojourn.core.TurnMode;
import dev.sojourn.engine.TurnEnd;
import dev.sojourn.text.Detokenizer;
import dev.sojourn.text.TokenBytes;
import dev.sojourn.text.Tokenizer;
import dev.sojourn.text.Vocabulary;
import dev.sojourn.text.Vocabulary.Kind;
import dev.sojourn.text.Vocabulary.TokenType;
import dev.sojourn.text.Vocabulary.TokenizerFile;
import dev.sojourn.text.answer.AnswerParser;
import dev.sojourn.text.answer.ParserChoice;
import dev.sojourn.text.template.ChatTemplate;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import tools.jackson.databind.json.JsonMapper;

/** A small vocabulary, templates of several kinds, and the part of an engine that prompts meet. */
final class Fixture {

  /** Writes from left to right. */
  static final String CHATML =
      """
      {% for m in messages %}<|im_start|>{{ m.role }}
      {{ m.content }}<|im_end|>
      {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
      {% endif %}\
      """;

  /** Writes from left to right, but cuts blanks off messages; begins with a date. */
  static final String TRIMMING =
      """
      {{ bos_token }}{{ strftime_now("%Y-%m-%d") }}{% for m in messages %}
      <|im_start|>{{ m.role }}
      {{ m.content | trim }}<|im_end|>{% endfor %}{% if add_generation_prompt %}
      <|im_start|>assistant
      {% endif %}\
      """;

  /** No special tokens around messages, a space around answers, strict turns. */
  static final String BRACKETS =
      """
      {% if messages[0].role == 'system' %}{% set sys = '<<' + messages[0].content + '>>' %}\
      {% set rest = messages[1:] %}{% else %}{% set sys = '' %}{% set rest = messages %}{% endif %}\
      {% for m in rest %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}\
      {{ raise_exception('roles must alternate') }}{% endif %}\
      {% if m.role == 'user' %}{% if loop.first %}{{ bos_token }}{% endif %}\
      [INST] {{ (sys if loop.first else '') + m.content }} [/INST]\
      {% else %} {{ m.content }} {{ eos_token }}{% endif %}{% endfor %}\
      """;

  /** Forgets the thoughts of earlier turns, but not since the user spoke last. */
  static final String THOUGHTFUL =
      """
      {% set ns = namespace(last=0) %}{% for m in messages %}{% if m.role == 'user' %}\
      {% set ns.last = loop.index0 %}{% endif %}{% endfor %}\
      {% for m in messages %}<|im_start|>{{ m.role }}
      {% if m.role == 'assistant' and loop.index0 < ns.last %}\
      {{ m.content.split('</think>')[-1] }}{% else %}{{ m.content }}{% endif %}<|im_end|>
      {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
      {% endif %}\
      """;

  /** Writes the system message before what the user said last. */
  static final String SYSTEM_LAST =
      """
      {% if messages[0].role == 'system' %}{% set sys = messages[0].content %}\
      {% set rest = messages[1:] %}{% else %}{% set rest = messages %}{% endif %}\
      {% for m in rest %}<|im_start|>{{ m.role }}
      {% if m.role == 'user' and loop.last and sys is defined %}[{{ sys }}]{% endif %}\
      {{ m.content }}<|im_end|>
      {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
      {% endif %}\
      """;

  /** Writes calls as Hermes does, from left to right, but greets in another way when asked to. */
  static final String CALLING =
      """
      {% if tools %}<|im_start|>system
      {{ tools | tojson }}<|im_end|>
      {% endif %}{% for m in messages %}<|im_start|>{{ m.role }}
      {% if greeting and loop.last %}Well! {% endif %}{{ m.content or '' }}\
      {% for c in m.tool_calls or [] %}{{ '\\n' if m.content or not loop.first }}<tool_call>
      {"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}
      </tool_call>{% endfor %}<|im_end|>
      {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
      {% endif %}\
      """;

  static final Tokenizer TOKENIZER = Tokenizer.of(vocabulary(false));

  /** The same ids, but white space behind the end of a message belongs to it, as with Phi 3. */
  static final Tokenizer TAKING = Tokenizer.of(vocabulary(true));

  static final ManualClock CLOCK = new ManualClock();
  static final int END = TOKENIZER.vocabulary().tokens().indexOf("<|im_end|>");
  static final int EOS = TOKENIZER.vocabulary().tokens().indexOf("<|endoftext|>");

  private Fixture() {}

  static String template(String kind) {
    return switch (kind) {
      case "chatml" -> CHATML;
      case "trimming" -> TRIMMING;
      case "brackets" -> BRACKETS;
      case "thoughtful" -> THOUGHTFUL;
      case "system last" -> SYSTEM_LAST;
      case "calling" -> CALLING;
      default -> throw new IllegalArgumentException(kind);
    };
  }

  static PromptBuilder builder(String template) {
    return PromptBuilder.of(
        TOKENIZER, Optional.of(ChatTemplate.compile(template)), ParserChoice.AUTO, CLOCK);
  }

  static Map<String, ?> user(String content) {
    return said("user", content);
  }

  static Map<String, ?> said(String role, String content) {
    return Map.of("role", role, "content", content);
  }

  static Tokens encode(String text) {
    return TOKENIZER.encode(text);
  }

  /** Returns what ids spell, special tokens included. */
  static String spelled(Tokens ids) {
    StringBuilder text = new StringBuilder();
    TokenBytes spelling = TOKENIZER.spelling();
    Detokenizer stream = new Detokenizer(spelling);
    int bytes = 0;
    for (int i = 0; i < ids.length(); i++) {
      bytes += spelling.of(ids.get(i)).length;
      text.append(stream.append(ids.get(i), bytes));
      if (spelling.special(ids.get(i))) {
        text.append(stream.finish(bytes)).append(spelling.text(ids.get(i)));
        stream = new Detokenizer(spelling);
        bytes = 0;
      }
    }
    return text.append(stream.finish(bytes)).toString();
  }

  /**
   * Ends a turn as an engine would: {@code sampled} up to the first stop string or stop token.
   *
   * @return what the client was shown
   */
  static Ended end(Prompt prompt, Tokens sampled, Optional<String> stop) {
    TokenBytes spelling = TOKENIZER.spelling();
    Detokenizer whole = new Detokenizer(spelling);
    StringBuilder latin = new StringBuilder();
    List<Integer> ends = new ArrayList<>();
    OptionalInt stopToken = OptionalInt.empty();
    for (int i = 0; i < sampled.length() && stopToken.isEmpty(); i++) {
      int id = sampled.get(i);
      if (id == END || id == EOS) {
        stopToken = OptionalInt.of(id);
      } else {
        latin.append(new String(spelling.of(id), ISO_8859_1));
        ends.add(latin.length());
      }
    }
    int visible = latin.length();
    if (stop.isPresent()) {
      String needle = new String(stop.get().getBytes(UTF_8), ISO_8859_1);
      int at = latin.indexOf(needle);
      if (at >= 0) {
        visible = at;
        stopToken = OptionalInt.empty();
      }
    }
    int kept = 0;
    StringBuilder shown = new StringBuilder();
    int total = 0;
    for (int i = 0; i < ends.size(); i++) {
      total = ends.get(i);
      kept += total <= visible ? 1 : 0;
      shown.append(whole.append(sampled.get(i), Math.min(total, visible)));
    }
    shown.append(whole.finish(visible));
    Tokens completion = sampled.slice(0, kept);
    if (stopToken.isPresent()) {
      completion = completion.concat(Tokens.of(stopToken.getAsInt()));
    }
    TurnEnd end =
        new TurnEnd(
            stopToken.isPresent() ? FinishReason.STOP : FinishReason.LENGTH,
            prompt.context(),
            completion,
            sampled.length(),
            visible,
            Optional.empty(),
            stopToken,
            0,
            0,
            prompt.length() + completion.length(),
            prompt.length());
    return new Ended(end, shown.toString());
  }

  record Ended(TurnEnd end, String shown) {

    /** Returns the answer as the client is told it. */
    Map<String, ?> message(Prompt prompt) {
      AnswerParser parser = prompt.parser("turn " + prompt.length());
      AnswerBuilder answer = new AnswerBuilder();
      answer.add(parser.append(shown));
      answer.add(parser.end());
      return answer.answer().message();
    }
  }

  /** Returns what an engine would do with the prompt. */
  static TurnMode mode(Transcript transcript, Prompt prompt) {
    if (transcript.committed() == 0) {
      return TurnMode.OPENED;
    }
    if (prompt.extendsCommitted()) {
      return TurnMode.APPEND;
    }
    return prompt.knownPrefix() < prompt.rewindFloor() ? TurnMode.ASIDE : TurnMode.REWIND;
  }

  /** Bytes, a few merges, and ChatML's special tokens. */
  private static Vocabulary vocabulary(boolean taking) {
    List<String> tokens = new ArrayList<>();
    for (int b = 0; b < 256; b++) {
      boolean printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
      int shifted = b <= 32 ? 256 + b : b <= 160 ? 256 + b - 94 : 323;
      tokens.add(Character.toString(printable ? b : shifted));
    }
    List<String> merges =
        List.of(
            "t h", "th e", "Ġ the", "i n", "in g", "e r", "l o", "lo w", "Ġ low", "Ġlow er", "s t",
            "o p", "op Ġ", "us er", "u s", "a n", "an d", "Ġ and", "Ċ Ċ", "Ã ¤", "ð Ł");
    for (String merge : merges) {
      tokens.add(merge.replace(" ", ""));
    }
    List<TokenType> types = new ArrayList<>(Collections.nCopies(tokens.size(), TokenType.NORMAL));
    Map<String, TokenType> specials = new HashMap<>();
    for (String control : List.of("<|endoftext|>", "<|im_start|>", "<|im_end|>")) {
      specials.put(control, TokenType.CONTROL);
    }
    specials.put("</think>", TokenType.USER_DEFINED);
    specials.forEach((token, type) -> {
      tokens.add(token);
      types.add(type);
    });
    int eos = tokens.indexOf("<|endoftext|>");
    return new Vocabulary(
        Kind.BYTE_LEVEL_BPE,
        "qwen2",
        tokens,
        types,
        merges,
        List.of(),
        OptionalInt.of(eos),
        OptionalInt.of(eos),
        List.of(eos, tokens.indexOf("<|im_end|>")),
        OptionalInt.empty(),
        false,
        false,
        taking
            ? Optional.of(
                new TokenizerFile(
                    rules(tokens, merges), Set.of(), Set.of(tokens.indexOf("<|im_end|>"))))
            : Optional.empty());
  }

  private static String rules(List<String> tokens, List<String> merges) {
    Map<String, Integer> ids = new HashMap<>();
    tokens.forEach(token -> ids.put(token, ids.size()));
    Map<String, ?> step =
        Map.of("type", "ByteLevel", "add_prefix_space", false, "trim_offsets", true);
    return JsonMapper.shared()
        .writeValueAsString(
            Map.of(
                "version",
                "1.0",
                "pre_tokenizer",
                step,
                "decoder",
                step,
                "model",
                Map.of("type", "BPE", "vocab", ids, "merges", merges)));
  }
}
