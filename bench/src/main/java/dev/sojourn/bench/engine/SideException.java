package dev.sojourn.bench.engine;

/** A side did not do what it was asked for. Its message is for a person. */
final class SideException extends Exception {

  private static final long serialVersionUID = 1L;

  private final boolean ended;

  private SideException(String message, boolean ended) {
    super(message);
    this.ended = ended;
  }

  /** The side cannot do this, but it can do other things. */
  static SideException refused(String why) {
    return new SideException(why, false);
  }

  /** The side's process has ended, or was ended because it did not answer. */
  static SideException ended(String how) {
    return new SideException(how, true);
  }

  boolean ended() {
    return ended;
  }
}
