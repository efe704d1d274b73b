package dev.sojourn.cli;

import dev.sojourn.core.Clock;
import dev.sojourn.engine.weights.Progress;
import java.io.PrintWriter;

/**
 * Shows how far long work has come: on a terminal one bar that is drawn over itself, in a pipe a
 * plain line for every quarter. Used by one thread at a time.
 */
final class ProgressLine implements Progress {

  private static final int BAR = 30; // characters
  private static final long REDRAW_NANOS = 100_000_000;

  private final PrintWriter err;
  private final boolean terminal;
  private final Clock clock;
  private String current = "";
  private long lastDrawn;
  private int lastQuarter;

  ProgressLine(PrintWriter err, boolean terminal, Clock clock) {
    this.err = err;
    this.terminal = terminal;
    this.clock = clock;
  }

  /** Returns whether the launcher found standard error to be a terminal. */
  static boolean onTerminal() {
    return Boolean.getBoolean("sojourn.terminal");
  }

  @Override
  public void at(String what, long done, long total) {
    boolean begins = !what.equals(current);
    boolean ends = done >= total;
    if (begins && ends && total > 0) {
      return; // so quick that it is already over
    }
    if (begins) {
      current = what;
      lastQuarter = -1;
    }
    int percent = total <= 0 ? 100 : (int) (done * 100 / total);
    if (terminal) {
      if (begins || ends || clock.nanos() - lastDrawn >= REDRAW_NANOS) {
        lastDrawn = clock.nanos();
        int filled = percent * BAR / 100;
        err.printf(
            "\r[%s%s] %3d %%  %s", "#".repeat(filled), ".".repeat(BAR - filled), percent, what);
        if (ends) {
          err.println();
        }
        err.flush();
      }
    } else if (percent / 25 > lastQuarter) {
      lastQuarter = percent / 25;
      err.println(what + ": " + percent + " %");
    }
    if (ends) {
      current = "";
    }
  }
}
