package dev.sojourn.server.prompt;

/**
 * A stretch of a transcript that is kept or dropped as a whole: the text that a template must
 * render again for its ids to be kept.
 *
 * @param text as a template renders it, marks of {@link dev.sojourn.text.Tokenizer#protect}
 *     included
 * @param textEnd where it ends in the transcript's text
 * @param tokenEnd where it ends in the transcript's ids
 * @param kind what it is
 */
record Piece(String text, int textEnd, int tokenEnd, Kind kind) {

  enum Kind {
    /** Tokenised text up to where sampling began. */
    TEXT,
    /** Tokenised text up to and with a special token; a special token that ended a turn. */
    TO_SPECIAL,
    /** Sampled tokens. */
    SAMPLED
  }
}
