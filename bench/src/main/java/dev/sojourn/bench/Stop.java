package dev.sojourn.bench;

import java.util.regex.Pattern;

/**
 * A time for which all threads of a JVM stood still, from the wish until they were let go.
 *
 * @param why the JVM's word for it, such as {@code ZMarkStartYoung}
 */
public record Stop(String why, double millis) {

  /** How HotSpot's collectors begin the names of their operations. */
  private static final Pattern COLLECTOR =
      Pattern.compile("(Z|G1|Shenandoah|Parallel|Serial|Collect|GC_).*");

  /** Returns whether it was for the garbage collector. */
  public boolean ofCollector() {
    return COLLECTOR.matcher(why).matches();
  }
}
