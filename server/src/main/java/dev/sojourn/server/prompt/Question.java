package dev.sojourn.server.prompt;

import java.util.List;
import java.util.Map;

/**
 * Where the user asked last: the text of a transcript up to here is what the template writes of the
 * messages up to here.
 *
 * @param messages how many there are, the question included
 * @param textEnd where its text ends; what begins the answer comes behind
 */
record Question(int messages, int textEnd) {

  /**
   * Returns whether a message is a question to every template. Some put results of tools between
   * tags and send them as the user's words, and templates know those by how they begin.
   */
  static boolean is(Map<String, ?> message) {
    return "user".equals(message.get("role"))
        && message.get("content") instanceof String text
        && !text.stripLeading().startsWith("<");
  }

  /** Returns whether the last message is one. */
  static boolean ends(List<Map<String, ?>> messages) {
    return !messages.isEmpty() && is(messages.getLast());
  }
}
