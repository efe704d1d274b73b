package dev.sojourn.cli;

import dev.sojourn.bench.engine.EngineReport;
import dev.sojourn.bench.engine.EngineReport.Cold;
import dev.sojourn.bench.engine.EngineReport.Measured;
import dev.sojourn.bench.engine.EngineReport.Missing;
import dev.sojourn.bench.engine.EngineReport.Result;
import dev.sojourn.bench.engine.EngineReport.Row;
import dev.sojourn.bench.engine.EngineReport.Start;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.Set;
import picocli.CommandLine.Help.ColorScheme;

/**
 * Writes what {@code bench engine} measured for a person, with colour where there is a terminal.
 */
record EngineTables(Output output, ColorScheme colours) {

  private static final String NONE = "–";

  void print(EngineReport report) {
    output.line(
        "%s, %d threads; tokens per second: median (least–most)"
            .formatted(report.model(), report.threads()));
    output.line(
        String.format(
            Locale.ROOT,
            "with as many threads this machine reads %.1f GB/s and computes %.0f GFLOP/s",
            report.machine().readSpeed() / 1e9,
            report.machine().fmaSpeed() / 1e9));
    output.line("");
    points(report);
    output.line("");
    starts(report);
  }

  private void points(EngineReport report) {
    List<String> headings = new ArrayList<>(List.of("point"));
    for (int i = 0; i < report.starts().size(); i++) {
      String side = report.starts().get(i).side();
      headings.add(side);
      headings.add(i == 0 ? "of the limit" : "we / " + side);
    }
    Set<String> reasons = new LinkedHashSet<>();
    List<List<String>> rows = new ArrayList<>();
    for (Row row : report.rows()) {
      List<String> cells = new ArrayList<>(List.of(row.point().label()));
      for (int i = 0; i < row.results().size(); i++) {
        String side = report.starts().get(i).side();
        cells.add(speed(row.results().get(i), side + ", " + row.point().label(), reasons));
        cells.add(i == 0 ? percent(row.share()) : ratio(row.ratio(i)));
      }
      rows.add(cells);
    }
    output.table(headings, rows);
    reasons.forEach(output::line);
  }

  private static String speed(Result result, String what, Set<String> reasons) {
    return switch (result) {
      case Measured it ->
          String.format(Locale.ROOT, "%.1f (%.1f–%.1f)", it.median(), it.least(), it.most());
      case Cold(double speed) -> {
        reasons.add("* the one round that time allowed: it warms up, and does not count");
        yield String.format(Locale.ROOT, "%.1f *", speed);
      }
      case Missing(String why) -> {
        reasons.add(NONE + " " + what + ": " + why);
        yield NONE;
      }
    };
  }

  private static String percent(OptionalDouble share) {
    return share.isEmpty()
        ? NONE
        : String.format(Locale.ROOT, "%.0f %%", 100 * share.getAsDouble());
  }

  private String ratio(OptionalDouble ratio) {
    if (ratio.isEmpty()) {
      return NONE;
    }
    String words = String.format(Locale.ROOT, "%.2f ×", ratio.getAsDouble());
    String style = ratio.getAsDouble() >= 1 ? "green" : "red";
    return colours.ansi().new Text("@|" + style + " " + words + "|@", colours).toString();
  }

  private void starts(EngineReport report) {
    List<List<String>> rows = new ArrayList<>();
    for (Start start : report.starts()) {
      rows.add(
          List.of(
              start.side(),
              millis(start.loadMillis()),
              millis(start.readyMillis()),
              megabytes(start.loadedBytes()),
              megabytes(start.peakBytes()),
              start.readyMillis() instanceof Missing(String why) ? why : start.setup()));
    }
    output.table(
        List.of("side", "loaded, ms", "ready, ms", "peak MB, ready", "peak MB", "set up"), rows);
  }

  private static String millis(Result result) {
    return result instanceof Measured it ? String.format(Locale.ROOT, "%.0f", it.median()) : NONE;
  }

  private static String megabytes(OptionalLong bytes) {
    return bytes.isEmpty() ? NONE : String.valueOf(bytes.getAsLong() >> 20);
  }
}
