package dev.sojourn.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.management.JMException;
import javax.management.ObjectName;

/**
 * The {@linkplain Stop stops} of this JVM from now on, by its own log of safepoints, which is
 * written to a file of ours until this is closed. Unlike the beans of the collectors it says how
 * long threads stood still, not how long a collection that runs beside them took. Not thread-safe.
 */
final class StopLog implements AutoCloseable {

  private static final Pattern LINE =
      Pattern.compile("Safepoint \"(\\w+)\",.* Total: +(\\d+) ns.*");

  private final Path file;

  StopLog() {
    try {
      file = Files.createTempFile("sojourn-stops-", ".log");
    } catch (IOException e) {
      throw new UncheckedIOException("the JVM's stops cannot be logged", e);
    }
    configure("safepoint=info");
  }

  private void configure(String what) {
    try {
      ManagementFactory.getPlatformMBeanServer()
          .invoke(
              new ObjectName("com.sun.management:type=DiagnosticCommand"),
              "vmLog",
              new Object[] {
                new String[] {"output=\"file=" + file + "\"", "what=" + what, "decorators=none"}
              },
              new String[] {String[].class.getName()});
    } catch (JMException e) {
      throw new IllegalStateException("the JVM's stops cannot be logged", e);
    }
  }

  /** Returns the stops so far. */
  List<Stop> read() {
    try {
      return Files.readAllLines(file).stream()
          .map(LINE::matcher)
          .filter(Matcher::matches)
          .map(line -> new Stop(line.group(1), Long.parseLong(line.group(2)) / 1e6))
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException("the JVM's log of stops cannot be read", e);
    }
  }

  @Override
  public void close() {
    configure("all=off");
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      file.toFile().deleteOnExit();
    }
  }
}
