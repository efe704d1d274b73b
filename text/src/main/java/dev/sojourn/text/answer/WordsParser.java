package dev.sojourn.text.answer;

/** Takes apart what is no thought: words and calls. Not thread-safe. */
interface WordsParser extends AnswerParser {

  /**
   * Returns whether the answer, as far as it came, ends within a string of a call. What looks like
   * a mark is an argument's text there.
   */
  boolean inString();
}
