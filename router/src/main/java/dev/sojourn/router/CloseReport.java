package dev.sojourn.router;

import java.util.OptionalInt;

/**
 * What became of a close.
 *
 * @param asked whether the turn was to close a session
 * @param existed whether there was one
 * @param tokensFreed tokens whose KV the engine freed at once; empty while that is not known
 * @param pending whether the engine has not answered yet; the close is repeated until it has
 */
public record CloseReport(
    boolean asked, boolean existed, OptionalInt tokensFreed, boolean pending) {

  /** The turn closed nothing, as it was not asked to. */
  public static final CloseReport NOT_ASKED =
      new CloseReport(false, false, OptionalInt.empty(), false);

  /** There was nothing to close; no worker was called. */
  public static final CloseReport UNKNOWN = new CloseReport(true, false, OptionalInt.of(0), false);
}
