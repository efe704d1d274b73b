package dev.sojourn.engine.schedule;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * Finds stop strings in the bytes of an output as they come, and says how many bytes may be shown.
 *
 * <p>For each stop string it keeps how much of it the output ends with (the automaton of Knuth,
 * Morris and Pratt), so a byte costs the same wherever it comes, and what may yet become a stop
 * string is known exactly: no byte of it is ever shown, and no other is held back.
 */
final class StopMatcher {

  private final List<String> strings;
  private final byte[][] stops;
  private final int[][] borders; // by prefix length: its longest proper border
  private final int[] matched; // how much of each stop string the output ends with
  private int[] ends = {}; // bytes of the output after each token; only where a stop may cut it
  private int tokens;
  private int produced;
  private int visible;
  private Optional<String> found = Optional.empty();

  StopMatcher(List<String> strings) {
    this.strings = strings;
    stops = strings.stream().map(s -> s.getBytes(UTF_8)).toArray(byte[][]::new);
    borders = Arrays.stream(stops).map(StopMatcher::borders).toArray(int[][]::new);
    matched = new int[stops.length];
  }

  /** Appends a token and returns whether a stop string is complete. */
  boolean append(byte[] spelling) {
    for (int i = 0; i < spelling.length && found.isEmpty(); i++) {
      produced++;
      append(spelling[i]);
    }
    if (stops.length == 0) {
      visible = produced;
      return false;
    }
    if (tokens == ends.length) {
      ends = Arrays.copyOf(ends, 2 * tokens + 16);
    }
    ends[tokens++] = produced;
    if (found.isEmpty()) {
      int held = 0;
      for (int length : matched) {
        held = Math.max(held, length);
      }
      visible = produced - held;
    }
    return found.isPresent();
  }

  /** Shows what was held back: the output ends here without the stop string it began. */
  void end() {
    if (found.isEmpty()) {
      visible = produced;
    }
  }

  /** Returns how many bytes of the output may be shown. */
  int visibleBytes() {
    return visible;
  }

  /** Returns the stop string that was found. */
  Optional<String> found() {
    return found;
  }

  /**
   * Returns how many tokens, from the first on, lie wholly in what may be shown. Known only where
   * there are stop strings; without them it is all.
   */
  int visibleTokens() {
    int count = tokens;
    while (count > 0 && ends[count - 1] > visible) {
      count--;
    }
    return count;
  }

  private void append(byte next) {
    int longest = 0;
    for (int i = 0; i < stops.length; i++) {
      int length = matched[i];
      while (length > 0 && stops[i][length] != next) {
        length = borders[i][length];
      }
      if (stops[i][length] == next) {
        length++;
      }
      matched[i] = length;
      if (length == stops[i].length && length > longest) {
        longest = length;
        found = Optional.of(strings.get(i));
        visible = produced - length;
      }
    }
  }

  private static int[] borders(byte[] stop) {
    int[] borders = new int[stop.length + 1];
    for (int i = 1; i < stop.length; i++) {
      int length = borders[i];
      while (length > 0 && stop[length] != stop[i]) {
        length = borders[length];
      }
      borders[i + 1] = stop[length] == stop[i] ? length + 1 : 0;
    }
    return borders;
  }
}
