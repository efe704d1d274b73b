package dev.sojourn.server.prompt;

import java.util.Optional;

/**
 * What a template writes behind all that a session holds.
 *
 * @param text to be laid behind it; nothing if that cannot be told
 * @param rendered how many characters the template wrote to find out
 */
record Continuation(Optional<String> text, int rendered) {

  /** Nobody tried. */
  static final Continuation UNTRIED = new Continuation(Optional.empty(), 0);
}
