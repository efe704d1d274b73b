package dev.sojourn.text.answer;

import java.util.List;

/** Finds nothing but text. */
final class PlainParser implements WordsParser {

  @Override
  public List<Part> append(String text) {
    return text.isEmpty() ? List.of() : List.of(new Part.Text(text));
  }

  @Override
  public boolean inString() {
    return false;
  }

  @Override
  public List<Part> end() {
    return List.of();
  }
}
