package dev.sojourn.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class MetricsGarbageTest {

  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  @TempDir Path dir;

  /** Of all threads, those of the client too: a scrape is 20 KB of text. */
  @Test
  void scrape_makesNotMuchMoreGarbageThanItHasToTell() throws Exception {
    try (TestGateway gateway = new TestGateway(dir, 2, UnaryOperator.identity())) {
      int scrapes = 20;
      int text = gateway.send("GET", "/metrics", "").body().length();
      long before = THREADS.getTotalThreadAllocatedBytes();
      for (int i = 0; i < scrapes; i++) {
        assertThat(gateway.send("GET", "/metrics", "").statusCode()).isEqualTo(200);
      }
      long each = (THREADS.getTotalThreadAllocatedBytes() - before) / scrapes;
      assertThat(each).isLessThan(100L * text);
    }
  }
}
