package dev.sojourn.bench;

import java.util.List;
import java.util.Locale;
import java.util.StringJoiner;

/**
 * Lines over one axis, drawn as SVG: panels below one another, each with the same series, and what
 * the colours mean below them all.
 */
public final class Chart {

  /**
   * A line; its points stand at equal distances over the whole width.
   *
   * @param colour as SVG spells it
   * @param values NaN where there is none, which leaves a gap
   */
  public record Series(String label, String colour, List<Double> values) {

    public Series {
      values = List.copyOf(values);
    }
  }

  /**
   * An area of its own with axes.
   *
   * @param ticks labels below it, at equal distances over the whole width
   * @param marked whether each point is marked: where there are few
   */
  public record Panel(String title, List<String> ticks, boolean marked, List<Series> series) {

    public Panel {
      ticks = List.copyOf(ticks);
      series = List.copyOf(series);
    }
  }

  private static final int WIDTH = 760;
  private static final int PANEL = 260; // height with its title and axis
  private static final int LEFT = 70;
  private static final int RIGHT = 20;
  private static final int TOP = 40;
  private static final int BOTTOM = 40;
  private static final int STEPS = 5; // at most, on the upright axis

  private final StringBuilder svg = new StringBuilder();

  private Chart() {}

  /** Returns these panels as a whole SVG document. */
  public static String svg(List<Panel> panels) {
    return new Chart().draw(panels);
  }

  private String draw(List<Panel> panels) {
    int height = panels.size() * PANEL + 30;
    svg.append("<svg xmlns=\"http://www.w3.org/2000/svg\"")
        .append(attribute("viewBox", "0 0 " + WIDTH + " " + height))
        .append(attribute("width", WIDTH))
        .append(attribute("height", height))
        .append(" font-family=\"sans-serif\" font-size=\"12\">\n");
    element("rect", "width", WIDTH, "height", height, "fill", "white");
    for (int i = 0; i < panels.size(); i++) {
      panel(i * PANEL, panels.get(i));
    }
    int x = LEFT;
    for (Series series : panels.isEmpty() ? List.<Series>of() : panels.getFirst().series()) {
      int y = panels.size() * PANEL + 12;
      element("rect", "x", x, "y", y, "width", 18, "height", 4, "fill", series.colour());
      text(x + 24, y + 6, "start", series.label());
      x += 170;
    }
    return svg.append("</svg>\n").toString();
  }

  private void panel(int top, Panel panel) {
    double max =
        panel.series().stream()
            .flatMap(series -> series.values().stream())
            .filter(value -> !Double.isNaN(value))
            .mapToDouble(value -> value)
            .max()
            .orElse(0);
    double step = step(max / STEPS);
    double full = Math.max(step, Math.ceil(max / step) * step);
    text(LEFT, top + TOP - 14, "start", panel.title());
    for (int i = 0; i * step <= full * 1.0001; i++) {
      double y = y(top, i * step, full);
      element("line", "x1", LEFT, "x2", WIDTH - RIGHT, "y1", y, "y2", y, "stroke", "#dddddd");
      text(LEFT - 8, y + 4, "end", number(i * step, step < 1 ? 2 : 0));
    }
    for (int i = 0; i < panel.ticks().size(); i++) {
      double x = x(i, panel.ticks().size());
      text(x, top + PANEL - BOTTOM + 18, "middle", panel.ticks().get(i));
    }
    panel.series().forEach(series -> line(top, full, series, panel.marked()));
  }

  private void line(int top, double full, Series series, boolean marked) {
    StringJoiner points = new StringJoiner(" ");
    for (int i = 0; i < series.values().size(); i++) {
      double value = series.values().get(i);
      if (Double.isNaN(value)) {
        polyline(points, series.colour());
        points = new StringJoiner(" ");
        continue;
      }
      double x = x(i, series.values().size());
      double y = y(top, Math.max(0, value), full);
      points.add(number(x, 1) + "," + number(y, 1));
      if (marked) {
        element("circle", "cx", x, "cy", y, "r", 3, "fill", series.colour());
      }
    }
    polyline(points, series.colour());
  }

  private void polyline(StringJoiner points, String colour) {
    element("polyline", "points", points, "fill", "none", "stroke", colour, "stroke-width", 1.5);
  }

  private static double x(int index, int count) {
    return LEFT + (double) (WIDTH - LEFT - RIGHT) * index / Math.max(1, count - 1);
  }

  private static double y(int top, double value, double full) {
    return top + TOP + (PANEL - TOP - BOTTOM) * (1 - value / full);
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

  private void text(double x, double y, String anchor, String text) {
    svg.append("<text")
        .append(attribute("x", x))
        .append(attribute("y", y))
        .append(attribute("text-anchor", anchor))
        .append('>')
        .append(text.replace("&", "&amp;").replace("<", "&lt;"))
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
