package dev.sojourn.text.answer;

import dev.sojourn.text.answer.AnswerStyle.Calls;
import dev.sojourn.text.answer.AnswerStyle.Reasoning;
import java.util.Optional;

/**
 * What a server's owner says of a model's {@link AnswerStyle}; the rest is found out from its chat
 * template.
 *
 * @param calls how it marks calls
 * @param reasoning how it marks reasoning
 */
public record ParserChoice(Optional<Calls> calls, Optional<Reasoning> reasoning) {

  /** All is found out. */
  public static final ParserChoice AUTO = new ParserChoice(Optional.empty(), Optional.empty());
}
