package dev.sojourn.bench.engine;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * A side's process, asked over its standard input and output, a line at a time.
 *
 * <pre>
 * it says  loaded                           the model is in memory
 *          ready [how it is set up]         and everything has run once
 * we ask   prefill TOKENS                   ok MILLISECONDS, to the first token after the prompt
 *          decode BATCH CONTEXT STEPS       ok MILLISECONDS, of STEPS after one that is not timed
 * it says  error WHY                        where it cannot
 * </pre>
 *
 * Other lines are not for us. It ends when its input does. Not thread-safe.
 */
final class SideProcess implements AutoCloseable {

  private static final int LAST_WORDS = 3; // lines of standard error
  private static final String END = "\0"; // no line of a process that is told from an end

  private final Process process;
  private final Writer in;
  private final BlockingQueue<String> lines = new LinkedBlockingQueue<>();
  private final Path errors;
  private final Duration patience;

  /**
   * Starts the process.
   *
   * @param patience how long an answer may take
   * @throws SideException if there is no such program
   */
  SideProcess(Side side, Duration patience) throws SideException {
    this(side, patience, Path.of(System.getProperty("java.io.tmpdir")));
  }

  /** Starts the process, whose standard error is kept in a file there until it is closed. */
  SideProcess(Side side, Duration patience, Path directory) throws SideException {
    this.patience = patience;
    try {
      errors = Files.createTempFile(directory, "sojourn-bench-", ".log");
      process = start(side.command(), errors);
    } catch (IOException e) {
      throw SideException.ended("cannot be started: " + e.getMessage());
    }
    in = process.outputWriter(UTF_8);
    Thread.ofVirtual().start(this::read);
  }

  /** Starts a process; where it cannot, nobody has the file of its errors to delete later. */
  private static Process start(List<String> command, Path errors) throws IOException {
    boolean started = false;
    try {
      Process process = new ProcessBuilder(command).redirectError(errors.toFile()).start();
      started = true;
      return process;
    } finally {
      if (!started) {
        Files.deleteIfExists(errors);
      }
    }
  }

  private void read() {
    try (BufferedReader out = process.inputReader(UTF_8)) {
      out.lines().forEach(lines::add);
    } catch (IOException | UncheckedIOException e) {
      // Its end is the answer.
    } finally {
      lines.add(END);
    }
  }

  /** Returns the milliseconds that the side answers with. */
  double millis(String question) throws SideException, InterruptedException {
    try {
      in.write(question + "\n");
      in.flush();
    } catch (IOException e) {
      throw gone();
    }
    String answer = await("ok");
    try {
      double millis = Double.parseDouble(answer);
      if (millis > 0 && millis < Double.POSITIVE_INFINITY) {
        return millis;
      }
    } catch (NumberFormatException e) {
      // Told below.
    }
    throw SideException.refused("answered '" + question + "' with 'ok " + answer + "'");
  }

  /** Waits for the line that begins with a word, and returns what stands behind it. */
  String await(String word) throws SideException, InterruptedException {
    while (true) {
      String line = lines.poll(patience.toMillis(), TimeUnit.MILLISECONDS);
      if (line == null) {
        process.destroyForcibly();
        throw SideException.ended("no answer within " + patience.toMillis() + " ms");
      } else if (line.equals(END)) {
        throw gone();
      } else if (line.equals(word) || line.startsWith(word + " ")) {
        return line.substring(word.length()).strip();
      } else if (line.startsWith("error ")) {
        throw SideException.refused(line.substring("error ".length()).strip());
      }
    }
  }

  private SideException gone() {
    process.destroyForcibly();
    int exit = process.onExit().join().exitValue();
    String words;
    try {
      List<String> all = Files.readString(errors, UTF_8).lines().filter(l -> !l.isBlank()).toList();
      words = String.join(" | ", all.subList(Math.max(0, all.size() - LAST_WORDS), all.size()));
    } catch (IOException e) {
      words = "";
    }
    return SideException.ended(
        "ended with exit code " + exit + (words.isEmpty() ? "" : ": " + words));
  }

  /**
   * Returns the most memory that the process has held at once, in bytes, where the system tells.
   */
  OptionalLong peakBytes() {
    Path status = Path.of("/proc/" + process.pid() + "/status");
    try {
      return Files.readAllLines(status).stream()
          .filter(line -> line.startsWith("VmHWM:"))
          .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) << 10)
          .findFirst();
    } catch (IOException e) {
      return OptionalLong.empty();
    }
  }

  /** Ends the process. */
  @Override
  public void close() {
    process.destroy();
    try {
      if (!process.waitFor(10, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
      Files.deleteIfExists(errors);
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    } catch (IOException e) {
      errors.toFile().deleteOnExit();
    }
  }
}
