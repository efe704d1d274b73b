package dev.sojourn.bench.engine;

import dev.sojourn.bench.Chart;
import dev.sojourn.bench.engine.EngineReport.Measured;
import dev.sojourn.bench.engine.EngineReport.Row;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Draws an {@link EngineReport}: a panel for prompts, and one for each context decoded from. */
public final class EnginePlot {

  private static final List<String> COLOURS = List.of("#d62728", "#1f77b4", "#2ca02c", "#9467bd");

  private EnginePlot() {}

  /** Returns the plot as a whole SVG document. */
  public static String svg(EngineReport report) {
    Map<String, List<Row>> panels = new LinkedHashMap<>();
    for (Row row : report.rows()) {
      String title =
          switch (row.point()) {
            case Point.Prefill _ -> "Prompts: tokens per second, by length";
            case Point.Decode(_, int context) ->
                "Decoding at " + context + " tokens of context: tokens per second, by batch";
          };
      panels.computeIfAbsent(title, _ -> new ArrayList<>()).add(row);
    }
    return Chart.svg(
        panels.entrySet().stream().map(e -> panel(report, e.getKey(), e.getValue())).toList());
  }

  private static Chart.Panel panel(EngineReport report, String title, List<Row> rows) {
    List<String> ticks =
        rows.stream()
            .map(row ->
                switch (row.point()) {
                  case Point.Prefill(int tokens) -> String.valueOf(tokens);
                  case Point.Decode(int batch, _) -> String.valueOf(batch);
                })
            .toList();
    List<Chart.Series> series = new ArrayList<>();
    for (int i = 0; i < report.starts().size(); i++) {
      int side = i;
      List<Double> values =
          rows.stream().map(row -> row.results().get(side)).map(EnginePlot::speed).toList();
      series.add(
          new Chart.Series(report.starts().get(i).side(), COLOURS.get(i % COLOURS.size()), values));
    }
    return new Chart.Panel(title, ticks, true, series);
  }

  private static double speed(EngineReport.Result result) {
    return result instanceof Measured it ? it.median() : Double.NaN;
  }
}
