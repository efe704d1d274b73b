package dev.sojourn.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.engine.model.ModelRunner;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ServedModelTest {

  @TempDir Path dir;

  @Test
  void card_poolSmallerThanTheContext_tellsWhatThePoolHolds() throws Exception {
    try (TestGateway.Tiny tiny = TestGateway.tiny(dir, 1);
        ModelRunner small = tiny.loaded().newRunner(4)) {
      ServedModel whole = tiny.served();
      ServedModel served =
          new ServedModel(
              whole.id(),
              whole.created(),
              whole.vocabulary(),
              whole.chatTemplate(),
              List.of(whole.runners().getFirst(), small));
      assertThat(served.card().room()).isEqualTo(64);
      assertThat(served.card().contextLength()).isEqualTo(TestGateway.CONTEXT);
      whole.runners().forEach(ModelRunner::close);
    }
  }
}
