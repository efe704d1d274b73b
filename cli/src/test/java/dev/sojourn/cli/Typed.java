package dev.sojourn.cli;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import java.util.Map;

/** What a command line that was typed left behind. */
record Typed(int exit, String out, String err) {

  static Typed sojourn(String... args) {
    return sojourn(Map.of(), args);
  }

  static Typed sojourn(Map<String, String> environment, String... args) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    int exit =
        Main.run(
            List.of(args), environment, new PrintWriter(out, true), new PrintWriter(err, true));
    return new Typed(exit, out.toString(), err.toString());
  }
}
