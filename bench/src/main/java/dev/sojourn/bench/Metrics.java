package dev.sojourn.bench;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A reading of a gateway's metrics, in the Prometheus text format.
 *
 * @param samples values by series, the labels as they are written
 */
public record Metrics(Map<String, Double> samples) {

  /** Reads the text format; comments are skipped. */
  public static Metrics parse(String text) {
    Map<String, Double> samples = new LinkedHashMap<>();
    for (String line : text.lines().toList()) {
      if (line.isBlank() || line.startsWith("#")) {
        continue;
      }
      // name{labels} value: a label value may hold spaces, so the value is what follows the brace
      int end = line.lastIndexOf('}') + 1;
      int space = line.indexOf(' ', end);
      if (space < 0) {
        throw new IllegalArgumentException("not a sample of a metric: " + line);
      }
      String value = line.substring(space + 1).split(" ", 2)[0];
      samples.put(line.substring(0, space), number(value));
    }
    return new Metrics(Map.copyOf(samples));
  }

  /** Returns the sum of a metric over all its labels; 0 if there is none. */
  public double sum(String name) {
    return sum(name, "");
  }

  /** Returns the sum of a metric over all samples with a label, given as {@code name="value"}. */
  public double sum(String name, String label) {
    return samples.entrySet().stream()
        .filter(e -> e.getKey().equals(name) || e.getKey().startsWith(name + "{"))
        .filter(e -> e.getKey().contains(label))
        .mapToDouble(Map.Entry::getValue)
        .sum();
  }

  /** Returns whether there is a metric of this name. */
  public boolean has(String name) {
    return samples.keySet().stream().anyMatch(s -> s.equals(name) || s.startsWith(name + "{"));
  }

  private static double number(String value) {
    return switch (value) {
      case "+Inf" -> Double.POSITIVE_INFINITY;
      case "-Inf" -> Double.NEGATIVE_INFINITY;
      default -> Double.parseDouble(value);
    };
  }
}
