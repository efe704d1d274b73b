package dev.sojourn.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;

/**
 * Draws a {@link PressureReport} as three panels: how full the pool is after each turn, and for
 * each turn of the main agent what it computed again and how long its first token took.
 */
public final class PressurePlot {

  private static final int TICKS = 6;

  private PressurePlot() {}

  /** Returns the plot as a whole SVG document. */
  public static String svg(PressureReport report) {
    List<String> turns =
        IntStream.rangeClosed(0, TICKS)
            .mapToObj(i -> String.valueOf(1 + (PressureBench.turns() - 1) * i / TICKS))
            .toList();
    List<String> mainTurns = List.of("turn 1", "turn 2", "turn 3");
    return Chart.svg(
        List.of(
            panel(
                report,
                "Pages that hold something, percent, after each turn",
                turns,
                false,
                run -> run.use().stream().map(share -> 100 * share).toList()),
            panel(
                report,
                "Tokens that the main agent computed again",
                mainTurns,
                true,
                run -> run.main().stream().map(turn -> (double) turn.recomputed()).toList()),
            panel(
                report,
                "Time to the main agent's first token, milliseconds",
                mainTurns,
                true,
                run -> run.main().stream().map(PressureReport.MainTurn::firstToken).toList())));
  }

  private static Chart.Panel panel(
      PressureReport report,
      String title,
      List<String> ticks,
      boolean marked,
      Function<PressureReport.Run, List<Double>> values) {
    List<Chart.Series> series = new ArrayList<>();
    report
        .ways()
        .forEach((way, run) ->
            series.add(new Chart.Series(way.label(), colour(way), values.apply(run))));
    return new Chart.Panel(title, ticks, marked, series);
  }

  private static String colour(PressureWay way) {
    return switch (way) {
      case PLAIN_LRU -> "#888888";
      case PLAIN_PRIORITY -> "#ff7f0e";
      case SESSIONS -> "#1f77b4";
      case SESSIONS_PRIORITY -> "#d62728";
    };
  }
}
