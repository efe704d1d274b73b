package dev.sojourn.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/** How results are written: lines and tables for people, JSON for programs. */
final class Output {

  private static final JsonMapper JSON =
      JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();

  private final PrintWriter out;

  Output(PrintWriter out) {
    this.out = out;
  }

  /** Writes one line. */
  void line(String line) {
    out.println(line);
  }

  /** Writes a JSON document: of maps, lists, strings, numbers, booleans, or a JSON tree. */
  void json(Object document) {
    out.println(JSON.writeValueAsString(document));
  }

  /** Writes the fields of a JSON object, one a line; nested ones by their path. */
  void fields(JsonNode object) {
    List<List<String>> rows = new ArrayList<>();
    collect("", object, rows);
    int width = rows.stream().mapToInt(row -> row.getFirst().length()).max().orElse(0);
    rows.forEach(row ->
        line(row.getFirst() + " ".repeat(width + 2 - row.getFirst().length()) + row.getLast()));
  }

  private static void collect(String prefix, JsonNode node, List<List<String>> rows) {
    for (Map.Entry<String, JsonNode> field : node.properties()) {
      String path = prefix + field.getKey();
      if (field.getValue().isObject()) {
        collect(path + ".", field.getValue(), rows);
      } else {
        JsonNode value = field.getValue();
        rows.add(List.of(path, value.isString() ? value.stringValue() : value.toString()));
      }
    }
  }

  /** Writes rows in aligned columns under their headings; numbers stand to the right. */
  void table(List<String> headings, List<? extends List<?>> rows) {
    List<List<String>> cells = new ArrayList<>();
    cells.add(headings);
    rows.forEach(row -> cells.add(row.stream().map(String::valueOf).toList()));
    int columns = headings.size();
    List<Integer> widths =
        IntStream.range(0, columns)
            .map(i -> cells.stream().mapToInt(row -> width(row.get(i))).max().orElse(0))
            .boxed()
            .toList();
    List<Boolean> right =
        IntStream.range(0, columns)
            .mapToObj(i -> !rows.isEmpty() && rows.stream().allMatch(row -> isNumber(row.get(i))))
            .toList();
    for (List<String> row : cells) {
      out.println(
          IntStream.range(0, columns)
              .mapToObj(i -> {
                String pad = " ".repeat(widths.get(i) - width(row.get(i)));
                return right.get(i) ? pad + row.get(i) : row.get(i) + pad;
              })
              .collect(Collectors.joining("  "))
              .stripTrailing());
    }
  }

  private static boolean isNumber(Object cell) {
    return cell instanceof Number
        || plain(String.valueOf(cell)).matches("[0-9][0-9.,]*( (.?s|%|×|\\([0-9.–]+\\)))?|–");
  }

  /** Returns how many columns of a terminal a cell takes. */
  private static int width(String cell) {
    return plain(cell).length();
  }

  /** Returns a cell without its colours. */
  private static String plain(String cell) {
    return cell.replaceAll("\u001b\\[[0-9;]*m", "");
  }
}
