package dev.sojourn.core;

import java.util.HexFormat;
import java.util.random.RandomGenerator;

/**
 * One life of a session: a random 64-bit number, minted by the router at open and sent with every
 * open, turn and close. Whatever carries an older one is a no-op.
 */
public record Incarnation(long value) {

  /** Draws a new incarnation. */
  public static Incarnation mint(RandomGenerator random) {
    return new Incarnation(random.nextLong());
  }

  /** Reads the form that {@link #toString} writes: 16 hexadecimal digits. */
  public static Incarnation parse(String hex) {
    return new Incarnation(HexFormat.fromHexDigitsToLong(hex));
  }

  @Override
  public String toString() {
    return HexFormat.of().toHexDigits(value);
  }
}
