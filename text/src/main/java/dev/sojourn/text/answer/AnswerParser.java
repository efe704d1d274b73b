package dev.sojourn.text.answer;

import java.util.List;

/**
 * Takes an answer apart as it comes. How the text is cut up on its way in changes nothing: the
 * parts of each kind, joined, are the same. Not thread-safe.
 */
public interface AnswerParser {

  /** Takes more of the answer's text, and returns what is certain now and was not before. */
  List<Part> append(String text);

  /** Ends the answer, and returns what was held back until now. Called once, last. */
  List<Part> end();
}
