package dev.sojourn.server.prompt;

import java.util.Optional;

/**
 * What a template had to write for a prompt.
 *
 * @param all whether it was the whole conversation, rather than what is new
 * @param asSampled whether the answers so far are as they were sampled, whatever it would write
 * @param characters how many it wrote, in vain or not
 * @param notAsSampled why the answers so far are not as they were sampled, though that was asked
 *     for
 */
public record Rendering(
    boolean all, boolean asSampled, int characters, Optional<String> notAsSampled) {

  /** Of a plain completion. */
  static final Rendering NONE = new Rendering(false, false, 0, Optional.empty());
}
