package dev.sojourn.router;

/**
 * What a rank can hold.
 *
 * @param pages KV pages, each of {@link dev.sojourn.core.BlockHasher#BLOCK} tokens
 * @param maxRunning turns that it runs at the same time
 */
public record RankCapacity(int pages, int maxRunning) {

  public RankCapacity {
    if (pages < 1 || maxRunning < 1) {
      throw new IllegalArgumentException(
          "a rank has at least 1 page and runs at least 1 turn, not " + pages + ", " + maxRunning);
    }
  }
}
