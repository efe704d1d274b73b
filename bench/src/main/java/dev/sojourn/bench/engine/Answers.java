package dev.sojourn.bench.engine;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.util.List;

/**
 * The other end of {@link SideProcess}, for sides that run in a JVM: an engine that is loaded and
 * does as it is told.
 */
interface Answers {

  /** Opens an engine. */
  @FunctionalInterface
  interface Opening {
    Answers open() throws Exception;
  }

  /** Returns how the engine is set up, in a few words. */
  String setup();

  /** Runs everything once. */
  default void warmUp() throws Exception {
    prefill(8);
    decode(1, 8, 1);
  }

  /** Returns the milliseconds from a prompt of so many tokens to the logits after it. */
  double prefill(int tokens) throws Exception;

  /**
   * Returns the milliseconds of {@code steps}, after one that is not timed.
   *
   * @throws UnsupportedOperationException if the engine has no such batches
   */
  double decode(int batch, int context, int steps) throws Exception;

  /**
   * Opens an engine and answers until standard input ends. What the engine prints goes to standard
   * error.
   */
  static void run(Opening opening) throws IOException {
    PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), true, UTF_8);
    System.setOut(System.err);
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, UTF_8));
    Answers engine;
    try {
      engine = opening.open();
      out.println("loaded");
      engine.warmUp();
      out.println("ready " + engine.setup());
    } catch (Exception e) {
      out.println("error " + reason(e));
      return;
    }
    String line;
    while ((line = in.readLine()) != null) {
      try {
        List<String> words = List.of(line.strip().split(" +"));
        out.println(
            switch (words.getFirst()) {
              case "prefill" -> "ok " + engine.prefill(number(words, 1));
              case "decode" ->
                  "ok " + engine.decode(number(words, 1), number(words, 2), number(words, 3));
              default -> "error there is no question '" + line + "'";
            });
      } catch (Exception e) {
        out.println("error " + reason(e));
      }
    }
  }

  private static int number(List<String> words, int index) {
    return Integer.parseInt(words.get(index));
  }

  private static String reason(Exception e) {
    Throwable cause = e;
    while (cause instanceof ReflectiveOperationException && cause.getCause() != null) {
      cause = cause.getCause(); // what the engine itself threw
    }
    String message = String.valueOf(cause.getMessage()).replaceAll("\\s+", " ");
    boolean plain = cause instanceof UnsupportedOperationException;
    return plain ? message : cause.getClass().getSimpleName() + ": " + message;
  }
}
