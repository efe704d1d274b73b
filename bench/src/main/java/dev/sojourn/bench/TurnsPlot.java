package dev.sojourn.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;

/**
 * Draws a {@link TurnsReport} as two panels: the latency of each turn, and its CPU time outside the
 * model. Each point is the mean of the turns around it, so that a line shows the trend and not each
 * hiccup.
 */
public final class TurnsPlot {

  private static final int SMOOTH = 5; // turns to either side
  private static final int TICKS = 5;

  private TurnsPlot() {}

  /** Returns the plot as a whole SVG document. */
  public static String svg(TurnsReport report) {
    return Chart.svg(
        List.of(
            panel(report, "Latency of a turn, milliseconds", TurnsReport.Turn::latency),
            panel(
                report, "CPU time outside the model, milliseconds", TurnsReport.Turn::cpuOutside)));
  }

  private static Chart.Panel panel(
      TurnsReport report, String title, ToDoubleFunction<TurnsReport.Turn> value) {
    List<String> ticks =
        IntStream.rangeClosed(0, TICKS)
            .mapToObj(i -> String.valueOf(1 + (report.turns() - 1) * i / TICKS))
            .toList();
    List<Chart.Series> series = new ArrayList<>();
    report
        .ways()
        .forEach((way, turns) ->
            series.add(new Chart.Series(way.label(), colour(way), smooth(turns, value))));
    return new Chart.Panel(title, ticks, false, series);
  }

  private static String colour(Way way) {
    return switch (way) {
      case STATELESS -> "#888888";
      case SESSION_FULL -> "#1f77b4";
      case SESSION_DELTA -> "#d62728";
    };
  }

  private static List<Double> smooth(
      List<TurnsReport.Turn> turns, ToDoubleFunction<TurnsReport.Turn> value) {
    List<Double> smooth = new ArrayList<>();
    for (int i = 0; i < turns.size(); i++) {
      int from = Math.max(0, i - SMOOTH);
      int to = Math.min(turns.size(), i + SMOOTH + 1);
      smooth.add(TurnsReport.mean(turns.subList(from, to), value));
    }
    return smooth;
  }
}
