package dev.sojourn.bench;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.StringJoiner;
import java.util.function.ToDoubleFunction;

/**
 * Draws a {@link TurnsReport} as an SVG of two panels: the latency of each turn, and its CPU time
 * outside the model. Each point is the mean of the turns around it, so that a line shows the trend
 * and not each hiccup.
 */
public final class TurnsPlot {

  private static final int WIDTH = 760;
  private static final int PANEL = 260; // height with its title and axis
  private static final int LEFT = 70;
  private static final int RIGHT = 20;
  private static final int TOP = 40;
  private static final int BOTTOM = 40;
  private static final int SMOOTH = 5; // turns to either side
  private static final int TICKS = 5;

  private final StringBuilder svg = new StringBuilder();
  private final TurnsReport report;

  private TurnsPlot(TurnsReport report) {
    this.report = report;
  }

  /** Returns the plot as a whole SVG document. */
  public static String svg(TurnsReport report) {
    return new TurnsPlot(report).draw();
  }

  private String draw() {
    int height = 2 * PANEL + 30;
    svg.append("<svg xmlns=\"http://www.w3.org/2000/svg\"")
        .append(attribute("viewBox", "0 0 " + WIDTH + " " + height))
        .append(attribute("width", WIDTH))
        .append(attribute("height", height))
        .append(" font-family=\"sans-serif\" font-size=\"12\">\n");
    element("rect", "width", WIDTH, "height", height, "fill", "white");
    panel(0, "Latency of a turn, milliseconds", TurnsReport.Turn::latency);
    panel(PANEL, "CPU time outside the model, milliseconds", TurnsReport.Turn::cpuOutside);
    int x = LEFT;
    for (Way way : report.ways().keySet()) {
      int y = 2 * PANEL + 12;
      element("rect", "x", x, "y", y, "width", 18, "height", 4, "fill", colour(way));
      text(x + 24, y + 6, "start", way.label());
      x += 200;
    }
    return svg.append("</svg>\n").toString();
  }

  private void panel(int top, String title, ToDoubleFunction<TurnsReport.Turn> value) {
    double max =
        report.ways().values().stream()
            .map(turns -> smooth(turns, value))
            .flatMapToDouble(Arrays::stream)
            .max()
            .orElse(0);
    double step = step(max / TICKS);
    double full = Math.max(step, Math.ceil(max / step) * step);
    text(LEFT, top + TOP - 14, "start", title);
    for (int i = 0; i * step <= full * 1.0001; i++) {
      double y = y(top, i * step, full);
      element("line", "x1", LEFT, "x2", WIDTH - RIGHT, "y1", y, "y2", y, "stroke", "#dddddd");
      text(LEFT - 8, y + 4, "end", step < 1 ? number(i * step, 2) : number(i * step, 0));
    }
    for (int i = 0; i <= TICKS; i++) {
      int turn = 1 + (report.turns() - 1) * i / TICKS;
      text(x(turn - 1), top + PANEL - BOTTOM + 18, "middle", String.valueOf(turn));
    }
    for (Map.Entry<Way, List<TurnsReport.Turn>> entry : report.ways().entrySet()) {
      double[] values = smooth(entry.getValue(), value);
      StringJoiner points = new StringJoiner(" ");
      for (int i = 0; i < values.length; i++) {
        points.add(number(x(i), 1) + "," + number(y(top, Math.max(0, values[i]), full), 1));
      }
      element(
          "polyline",
          "points",
          points,
          "fill",
          "none",
          "stroke",
          colour(entry.getKey()),
          "stroke-width",
          1.5);
    }
  }

  private double x(int turn) {
    return LEFT + (double) (WIDTH - LEFT - RIGHT) * turn / Math.max(1, report.turns() - 1);
  }

  private static double y(int top, double value, double full) {
    return top + TOP + (PANEL - TOP - BOTTOM) * (1 - value / full);
  }

  private static String colour(Way way) {
    return switch (way) {
      case STATELESS -> "#888888";
      case SESSION_FULL -> "#1f77b4";
      case SESSION_DELTA -> "#d62728";
    };
  }

  /** Returns a round number, 1, 2 or 5 times a power of ten, that is at least {@code least}. */
  static double step(double least) {
    double power = Math.pow(10, Math.floor(Math.log10(Math.max(least, 1e-6))));
    for (double factor : new double[] {1, 2, 5}) {
      if (factor * power >= least) {
        return factor * power;
      }
    }
    return 10 * power;
  }

  private static double[] smooth(
      List<TurnsReport.Turn> turns, ToDoubleFunction<TurnsReport.Turn> value) {
    double[] smooth = new double[turns.size()];
    for (int i = 0; i < smooth.length; i++) {
      int from = Math.max(0, i - SMOOTH);
      int to = Math.min(smooth.length, i + SMOOTH + 1);
      smooth[i] = TurnsReport.mean(turns.subList(from, to), value);
    }
    return smooth;
  }

  private void text(double x, double y, String anchor, String text) {
    svg.append("<text")
        .append(attribute("x", x))
        .append(attribute("y", y))
        .append(attribute("text-anchor", anchor))
        .append('>')
        .append(text)
        .append("</text>\n");
  }

  private void element(String name, Object... attributes) {
    svg.append('<').append(name);
    for (int i = 0; i < attributes.length; i += 2) {
      svg.append(attribute(String.valueOf(attributes[i]), attributes[i + 1]));
    }
    svg.append("/>\n");
  }

  private static String attribute(String name, Object value) {
    return " " + name + "=\"" + (value instanceof Double d ? number(d, 1) : value) + "\"";
  }

  private static String number(double value, int decimals) {
    return String.format(Locale.ROOT, "%." + decimals + "f", value);
  }
}
