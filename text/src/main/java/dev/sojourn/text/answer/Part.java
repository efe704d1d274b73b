package dev.sojourn.text.answer;

/** A piece of an answer, in the order in which the model wrote it. */
public sealed interface Part {

  /**
   * Words for the reader.
   *
   * @param text more of them; not empty
   */
  record Text(String text) implements Part {}

  /**
   * What the model said to itself.
   *
   * @param text more of it; not empty
   */
  record Reasoning(String text) implements Part {}

  /**
   * The model begins to call a tool.
   *
   * @param index counts an answer's calls from 0
   * @param id names it to the client, who sends it back with the result
   * @param name the tool's
   */
  record CallBegin(int index, String id, String name) implements Part {}

  /**
   * More of a call's arguments.
   *
   * @param index the call's
   * @param json all of a call's, joined, are the text of one JSON object, unless the answer was cut
   */
  record CallArguments(int index, String json) implements Part {}

  /**
   * A call is complete.
   *
   * @param index the call's
   */
  record CallEnd(int index) implements Part {}
}
