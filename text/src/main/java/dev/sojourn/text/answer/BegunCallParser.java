package dev.sojourn.text.answer;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Reads an answer that goes on with a call whose beginning was put into the prompt. What was begun
 * is part of the call that is told; where no call comes of it, it is not told as text, since the
 * model never said it.
 */
final class BegunCallParser implements AnswerParser {

  private final AnswerParser parser;
  private final Optional<Part.CallBegin> named;
  private int unsaid; // so many characters that the parser may still tell as text were begun
  private boolean called;

  /**
   * Creates a parser.
   *
   * @param parser of the whole answer
   * @param begun the beginning of a call, too little for one to be told yet
   * @param named the call, if {@code begun} names the tool: told in any case
   */
  BegunCallParser(AnswerParser parser, String begun, Optional<Part.CallBegin> named) {
    this.parser = parser;
    this.named = named;
    unsaid = begun.length();
    var _ = said(parser.append(begun));
  }

  @Override
  public List<Part> append(String text) {
    return said(parser.append(text));
  }

  @Override
  public List<Part> end() {
    List<Part> parts = said(parser.end());
    if (!called && named.isPresent()) {
      parts.add(named.get());
      parts.add(new Part.CallEnd(named.get().index()));
    }
    return parts;
  }

  /** Returns what the model said. Until a call is told, text begins with what was begun. */
  private List<Part> said(List<Part> parts) {
    List<Part> said = new ArrayList<>();
    for (Part part : parts) {
      if (part instanceof Part.Text(String text)) {
        int cut = called ? 0 : Math.min(unsaid, text.length());
        unsaid -= cut;
        if (cut < text.length()) {
          said.add(new Part.Text(text.substring(cut)));
        }
      } else {
        called |= part instanceof Part.CallBegin;
        said.add(part);
      }
    }
    return said;
  }
}
