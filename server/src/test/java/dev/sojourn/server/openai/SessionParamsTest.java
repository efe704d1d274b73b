package dev.sojourn.server.openai;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.Fault;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.Tenant;
import dev.sojourn.engine.TreePlace;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** SGLang's words for what befalls a turn between its check and its place in the line. */
final class SessionParamsTest {

  private static final SessionId SESSION = new SessionId(Tenant.DEFAULT, "line");

  private final SessionParams params =
      new SessionParams(new TreePlace(Optional.empty(), false, false, 0), "nvext.session_params.");

  private Fault told(Fault refusal) {
    return params.told(refusal.asException(), SESSION).fault();
  }

  @Test
  void told_anotherTurnCameFirst_isThatOneIsActive() {
    assertThat(told(new Fault.Conflict("session_busy", "session line runs a turn", Map.of())))
        .isEqualTo(
            Fault.invalid(
                "nvext.session_params.id", "Streaming session already has an active request."));
  }

  @Test
  void told_closedMeanwhile_isThatACloseWasRequested() {
    assertThat(told(new Fault.NotFound("session_not_found", "session line does not exist")))
        .isEqualTo(
            Fault.invalid(
                "nvext.session_params.id",
                "Invalid request: close was requested for session line"));
  }

  @Test
  void told_anythingElse_staysAsItIs() {
    Fault full = new Fault.Overloaded("256 turns wait", Duration.ofSeconds(1));
    Fault other = new Fault.Conflict("session_settings", "other settings", Map.of());
    assertThat(told(full)).isSameAs(full);
    assertThat(told(other)).isSameAs(other);
  }
}
