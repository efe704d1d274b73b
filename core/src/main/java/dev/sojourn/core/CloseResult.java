package dev.sojourn.core;

/**
 * What a close did.
 *
 * @param existed whether there was such an incarnation
 * @param tokensFreed tokens whose KV was freed at once
 */
public record CloseResult(boolean existed, int tokensFreed) {

  /** There was nothing to close. */
  public static final CloseResult UNKNOWN = new CloseResult(false, 0);
}
