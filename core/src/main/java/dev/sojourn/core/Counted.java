package dev.sojourn.core;

/**
 * A number of things, in words.
 *
 * @param count how many
 * @param noun what one of them is called; more are called that with an s
 */
public record Counted(long count, String noun) {

  /** Returns {@code 1 turn}, or {@code 2 turns}. */
  @Override
  public String toString() {
    return count + " " + noun + (count == 1 ? "" : "s");
  }
}
