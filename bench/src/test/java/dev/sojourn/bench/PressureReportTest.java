package dev.sojourn.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import dev.sojourn.bench.PressureReport.MainTurn;
import dev.sojourn.bench.PressureReport.Run;
import dev.sojourn.bench.PressureReport.Subagent;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class PressureReportTest {

  private static Run run(String answer) {
    return new Run(
        List.of(new MainTurn(100, 0, 0, 10, 20), new MainTurn(120, 64, 51, 5, 15)),
        List.of(new Subagent(9, 30, 27), new Subagent(11, 20, 18)),
        List.of(0.25, 0.5),
        1.5,
        8,
        7,
        0,
        List.of("a", answer));
  }

  @Test
  void poolUnderPressure_holdsTheMainAgentAndHalfOfTheOthers() {
    assertThat(run("b").pagesUnderPressure()).isEqualTo(33);
    assertThat(run("b").recomputed()).isEqualTo(51);
    assertThat(run("b").returnedShare()).isCloseTo(0.9, offset(1e-9));
  }

  @Test
  void json_hasEachWay_andWhetherAllAnsweredTheSame() {
    PressureReport same =
        new PressureReport(
            "tiny", 1, 33, Map.of(PressureWay.SESSIONS, run("b"), PressureWay.PLAIN_LRU, run("b")));
    var way = same.json().path("ways").path("sessions");
    assertThat(same.json().path("answers_equal").asBoolean()).isTrue();
    assertThat(way.path("main").path(1).path("recomputed_tokens").asInt()).isEqualTo(51);
    assertThat(way.path("subagents").path(0).path("returned_pages").asInt()).isEqualTo(27);
    assertThat(way.path("use").path(1).asDouble()).isEqualTo(0.5);
    assertThat(
            new PressureReport(
                    "tiny",
                    1,
                    33,
                    Map.of(PressureWay.SESSIONS, run("b"), PressureWay.PLAIN_LRU, run("c")))
                .answersAreEqual())
        .isTrue();
    PressureReport different =
        new PressureReport(
            "tiny",
            1,
            33,
            Map.of(PressureWay.SESSIONS, run("b"), PressureWay.SESSIONS_PRIORITY, run("c")));
    assertThat(different.json().path("answers_equal").asBoolean()).isFalse();
  }

  @Test
  void plot_hasAPanelForUse_forTokensAndForTime() {
    PressureReport report =
        new PressureReport("tiny", 1, 33, Map.of(PressureWay.SESSIONS, run("b")));
    assertThat(PressurePlot.svg(report))
        .startsWith("<svg ")
        .contains("Pages that hold something", "computed again", "first token")
        .containsPattern("(?s)(<polyline.*){3}");
  }
}
