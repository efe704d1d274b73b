package dev.sojourn.engine.model;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;

/**
 * How much memory a process can still take: what its machine has, and what each control group that
 * it is in lets it have. A container is such a group; its limit less its use counts, with what
 * Linux would take back of its files' pages added.
 *
 * @param root of the file system that tells
 */
record AvailableMemory(Path root) {

  /** Names of a group's files. */
  private record Names(String limit, String usage, String reclaimable) {}

  private static final Names V1 =
      new Names("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file");
  private static final Names V2 = new Names("memory.max", "memory.current", "inactive_file");

  /** Returns the bytes that this process can take now. */
  static long now() {
    return new AvailableMemory(Path.of("/")).bytes();
  }

  /** Returns the bytes. */
  long bytes() {
    var system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    // Linux's own estimate, as free memory alone leaves out its caches.
    OptionalLong kilobytes = number(root.resolve("proc/meminfo"), "MemAvailable:");
    long available =
        kilobytes.isPresent() ? kilobytes.getAsLong() << 10 : system.getFreeMemorySize();
    for (String line : lines(root.resolve("proc/self/cgroup"))) {
      String[] parts = line.split(":", 3); // number, controllers, path; 0 and none in version 2
      if (parts.length == 3 && parts[1].isEmpty()) {
        available = Math.min(available, groups("sys/fs/cgroup", parts[2], V2));
      } else if (parts.length == 3 && List.of(parts[1].split(",")).contains("memory")) {
        available = Math.min(available, groups("sys/fs/cgroup/memory", parts[2], V1));
      }
    }
    return available;
  }

  /**
   * Returns what is left within a group and all around it. A container may see its own as the root,
   * under a path that is the machine's: what is not there is left out.
   */
  private long groups(String mount, String path, Names names) {
    Path top = root.resolve(mount);
    long least = left(top, names);
    Path group = top;
    for (Path part : Path.of("/").relativize(Path.of("/", path))) {
      group = group.resolve(part);
      least = Math.min(least, left(group, names));
    }
    return least;
  }

  private static long left(Path group, Names names) {
    OptionalLong limit = number(group.resolve(names.limit), "");
    OptionalLong usage = number(group.resolve(names.usage), "");
    if (limit.isEmpty() || usage.isEmpty()) { // "max" is no number
      return Long.MAX_VALUE;
    }
    long reclaimable = number(group.resolve("memory.stat"), names.reclaimable + " ").orElse(0);
    return Math.max(0, limit.getAsLong() - Math.max(0, usage.getAsLong() - reclaimable));
  }

  /** Returns the number of the line that begins so. */
  private static OptionalLong number(Path file, String start) {
    return lines(file).stream()
        .filter(line -> line.startsWith(start))
        .map(line -> line.substring(start.length()).replace("kB", "").strip())
        .filter(text -> text.matches("\\d{1,18}"))
        .mapToLong(Long::parseLong)
        .findFirst();
  }

  /** Returns the lines of a file; none where there is no such file, or not for us. */
  private static List<String> lines(Path file) {
    try {
      return Files.isRegularFile(file) ? Files.readAllLines(file) : List.of();
    } catch (IOException e) {
      return List.of(); // then others tell
    }
  }
}
