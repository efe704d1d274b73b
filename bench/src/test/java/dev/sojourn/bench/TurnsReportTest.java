package dev.sojourn.bench;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import dev.sojourn.bench.TurnsReport.Turn;
import java.io.StringReader;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.xml.sax.InputSource;

class TurnsReportTest {

  /** Turn i of 25 took i milliseconds, and half of that outside the model. */
  private static final TurnsReport REPORT =
      new TurnsReport(
          4,
          "tiny",
          Map.of(
              Way.SESSION_DELTA,
              IntStream.rangeClosed(1, 25)
                  .mapToObj(i -> new Turn(i, i / 10.0, i / 2.0, 20 * i, 20 * i - 17, 8))
                  .toList(),
              Way.STATELESS,
              List.of()),
          List.of(
              new Stop("ZMarkStartYoung", 0.5),
              new Stop("Cleanup", 3),
              new Stop("ZMarkEnd", 0.25)));

  @Test
  void windows_areTenTurnsAtEachEnd() {
    List<Turn> turns = requireNonNull(REPORT.ways().get(Way.SESSION_DELTA));
    assertThat(TurnsReport.mean(turns, Turn::latency)).isEqualTo(13);
    assertThat(TurnsReport.first(turns, Turn::latency)).isEqualTo(5.5);
    assertThat(TurnsReport.last(turns, Turn::latency)).isEqualTo(20.5);
    assertThat(TurnsReport.last(turns.subList(0, 3), Turn::latency)).isEqualTo(2);
    assertThat(TurnsReport.aroundTenth(turns, Turn::latency)).isEqualTo(10.5);
    assertThat(TurnsReport.growth(turns, Turn::latency)).isEqualTo(20.5 / 10.5);
    assertThat(TurnsReport.growth(turns.subList(0, 3), Turn::latency)).isEqualTo(1);
    assertThat(TurnsReport.growth(List.of(), Turn::latency)).isZero();
  }

  @Test
  void json_hasEveryTurn() {
    var way = REPORT.json().path("ways").path("session_delta");
    assertThat(way.path("cpu_outside_model").path("last_ten").asDouble()).isEqualTo(10.25);
    assertThat(way.path("cached_tokens").path("turns").size()).isEqualTo(25);
    assertThat(REPORT.json().path("turns").asInt()).isEqualTo(25);
  }

  @Test
  void json_hasTheStops_thoseOfTheCollectorApart() {
    var stops = REPORT.json().path("stops_ms");
    assertThat(stops.path("collector").path("count").asInt()).isEqualTo(2);
    assertThat(stops.path("collector").path("p50").asDouble()).isEqualTo(0.25);
    assertThat(stops.path("collector").path("p99").asDouble()).isEqualTo(0.5);
    assertThat(stops.path("other").path("max").asDouble()).isEqualTo(3);
  }

  @Test
  void plot_isAnSvgWithALineForEachWayAndPanel_insideItsFrame() throws Exception {
    Document svg =
        DocumentBuilderFactory.newInstance()
            .newDocumentBuilder()
            .parse(new InputSource(new StringReader(TurnsPlot.svg(REPORT))));
    assertThat(svg.getDocumentElement().getTagName()).isEqualTo("svg");
    var lines = svg.getElementsByTagName("polyline");
    assertThat(lines.getLength()).isEqualTo(4);
    String points =
        IntStream.range(0, 4)
            .mapToObj(i -> ((Element) lines.item(i)).getAttribute("points"))
            .max((a, b) -> Integer.compare(a.length(), b.length()))
            .orElseThrow();
    List<String> pairs = List.of(points.split(" ", -1));
    assertThat(pairs).hasSize(25);
    for (String pair : pairs) {
      assertThat(Double.parseDouble(pair.replaceFirst(",.*", ""))).isBetween(0.0, 760.0);
      assertThat(Double.parseDouble(pair.replaceFirst(".*,", ""))).isBetween(0.0, 550.0);
    }
  }

  @ParameterizedTest
  @CsvSource({"0.9, 1", "1, 1", "1.1, 2", "3, 5", "7, 10", "0.03, 0.05", "120, 200"})
  void step_isTheNextRoundNumber(double least, double step) {
    assertThat(Chart.step(least)).isCloseTo(step, offset(1e-9));
  }
}
