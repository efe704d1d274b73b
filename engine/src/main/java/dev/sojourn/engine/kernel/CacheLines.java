package dev.sojourn.engine.kernel;

import com.sun.management.HotSpotDiagnosticMXBean;
import java.lang.management.ManagementFactory;

/**
 * Where cache lines begin in an array of floats. A vector of 512 bits that lies in two of them is
 * read at half the speed, and Java says nothing of where arrays are. But ZGC lets those of more
 * than 256 KB begin at a multiple of at least a kilobyte; in smaller arrays, or with another
 * collector, lines begin somewhere, and products take as much longer.
 */
final class CacheLines {

  /** The first float at the beginning of a cache line. */
  static final int FIRST = (64 - header()) / Float.BYTES;

  private CacheLines() {}

  /** Bytes of an array before its numbers. */
  private static int header() {
    var vm = ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
    try {
      boolean compact =
          vm != null && vm.getVMOption("UseCompactObjectHeaders").getValue().equals("true");
      return compact ? 12 : 16;
    } catch (IllegalArgumentException e) { // a JVM that knows no such option
      return 16;
    }
  }
}
