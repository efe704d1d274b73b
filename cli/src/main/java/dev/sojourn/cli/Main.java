package dev.sojourn.cli;

import java.io.PrintWriter;
import java.util.List;
import java.util.Map;

/** Where the process starts. */
public final class Main {

  private Main() {}

  /** Runs the command and ends the process with its exit code. */
  public static void main(String[] args) {
    int exit =
        run(
            List.of(args),
            System.getenv(),
            new PrintWriter(System.out, true, System.out.charset()),
            new PrintWriter(System.err, true, System.err.charset()));
    System.exit(exit);
  }

  /**
   * Runs one command line to its end.
   *
   * @param args the words after {@code sojourn}
   * @param environment the variables that may set options
   * @param out where results go
   * @param err where progress and errors go
   * @return the exit code
   */
  public static int run(
      List<String> args, Map<String, String> environment, PrintWriter out, PrintWriter err) {
    return new CommandLineRun(environment, out, err).run(args);
  }
}
