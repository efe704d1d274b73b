package dev.sojourn.text.answer;

import java.util.Optional;

/**
 * How a model marks what it says to itself and the tools that it calls. Immutable.
 *
 * @param reasoning how it marks reasoning
 * @param calls how it marks calls
 * @param several whether an answer may hold several calls; else what follows the first is text
 */
public record AnswerStyle(Reasoning reasoning, Calls calls, boolean several) {

  /** Marks nothing. */
  public static final AnswerStyle PLAIN = new AnswerStyle(Reasoning.NONE, Calls.NONE, true);

  /** How reasoning is marked. */
  public enum Reasoning {
    /** Not at all. */
    NONE,
    /** Between {@code <think>} and {@code </think>}, as Qwen and DeepSeek do. */
    THINK
  }

  /** How calls are marked. */
  public enum Calls {
    /** Not at all. */
    NONE,
    /** Each a JSON object between {@code <tool_call>} and {@code </tool_call>}. */
    HERMES,
    /** The whole answer is a JSON object, or several with semicolons between them. */
    LLAMA3_JSON
  }

  /** Returns this for answers that may hold one call at most. */
  public AnswerStyle withOneCall() {
    return new AnswerStyle(reasoning, calls, false);
  }

  /**
   * Returns a parser for an answer that goes on with a call which was begun for the model.
   *
   * @param answerId names the answer; its calls get their ids from it
   * @param begun the beginning of a call in this style, at most up to its arguments
   * @param tool the tool's name, if it is in what was begun: a call of it is told in any case
   */
  public AnswerParser parserBehind(String answerId, String begun, Optional<String> tool) {
    Optional<Part.CallBegin> named =
        tool.map(name -> new Part.CallBegin(0, CallId.of(answerId, 0), name));
    return new BegunCallParser(parser(answerId, true, false), begun, named);
  }

  /**
   * Returns a parser for one answer.
   *
   * @param answerId names the answer; its calls get their ids from it
   * @param tools whether calls are looked for; else what looks like one is text
   * @param begunThinking whether the prompt ended within a thought, so that the answer begins there
   */
  public AnswerParser parser(String answerId, boolean tools, boolean begunThinking) {
    WordsParser words =
        switch (tools ? calls : Calls.NONE) {
          case NONE -> new PlainParser();
          case HERMES -> new HermesParser(answerId, several);
          case LLAMA3_JSON -> new Llama3Parser(answerId, several);
        };
    return switch (reasoning) {
      case NONE -> words;
      case THINK -> new ThinkParser(words, begunThinking);
    };
  }
}
