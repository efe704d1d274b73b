package dev.sojourn.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A rank whose engine dies: its turns fail, the others serve on, and the probes say so. */
@Timeout(60)
class DeadRankTest {

  private static final String REQUEST =
      """
      {"model": "%s", "prompt": "The sea", "max_tokens": 3}\
      """
          .formatted(TestGateway.MODEL);

  @TempDir static Path dir;

  @Test
  void rankThatDies_isLeftOut_untilNoneIsLeft() throws Exception {
    try (TestGateway gateway = new TestGateway(dir, 2, UnaryOperator.identity())) {
      assertThat(gateway.send("GET", "/ready", "").body()).isEqualTo("ready\n");
      gateway.runners.getFirst().breakDown();
      int failed = 0;
      for (int i = 0; i < 8; i++) {
        HttpResponse<String> answer = gateway.send("POST", "/v1/completions", REQUEST);
        if (answer.statusCode() != 200) {
          failed++;
          assertThat(answer.statusCode()).as(answer.body()).isEqualTo(503);
          assertThat(answer.body()).contains("engine-0 has died");
        }
      }
      assertThat(failed).as("turns that met the dying rank").isEqualTo(1);
      HttpResponse<String> ready = gateway.send("GET", "/ready", "");
      assertThat(ready.statusCode()).isEqualTo(200);
      assertThat(ready.body()).isEqualTo("ready\nrank embedded/0 has died: LinkageError\n");
      assertThat(gateway.get("/health").path("status").asString()).isEqualTo("degraded");

      gateway.runners.getLast().breakDown();
      assertThat(gateway.send("POST", "/v1/completions", REQUEST).statusCode()).isEqualTo(503);
      HttpResponse<String> notReady = gateway.send("GET", "/ready", "");
      assertThat(notReady.statusCode()).isEqualTo(503);
      assertThat(notReady.body()).startsWith("not ready").contains("embedded/1 has died");
      HttpResponse<String> refused = gateway.send("POST", "/v1/completions", REQUEST);
      assertThat(refused.statusCode()).isEqualTo(503);
      assertThat(gateway.send("GET", "/live", "").statusCode()).isEqualTo(200);
    }
  }
}
