package dev.sojourn.server.openai;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sojourn.core.FaultException;
import dev.sojourn.server.access.IdentityRule;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Which header names a session. */
final class IdentityTest {

  @Test
  void of_theCanonicalHeader_winsOverAllOthers() {
    assertThat(
            of(
                Map.of(
                    "x-claude-code-session-id", "claude",
                    "x-session-id", "plain",
                    "x-dynamo-session-id", "canonical",
                    "x-dynamo-parent-session-id", "parent",
                    "x-dynamo-session-final", "TRUE")))
        .contains(new Identity("canonical", Optional.of("parent"), true, IdentityRule.CANONICAL));
  }

  @Test
  void of_anAgentWithinASession_isTheAgentWithTheSessionAsParent() {
    assertThat(of(Map.of("x-claude-code-session-id", "root", "x-claude-code-agent-id", "child")))
        .contains(new Identity("child", Optional.of("root"), false, "x-claude-code-agent-id"));
  }

  @Test
  void of_valuesThatSayNothing_areNotThere() {
    assertThat(of(Map.of("x-session-id", "  "))).isEmpty();
    assertThat(of(Map.of())).isEmpty();
    assertThat(
            of(
                Map.of(
                    "x-dynamo-session-id", "same",
                    "x-dynamo-parent-session-id", "same",
                    "x-dynamo-session-final", "")))
        .contains(new Identity("same", Optional.empty(), false, IdentityRule.CANONICAL));
  }

  @Test
  void of_canonicalHeadersThatMakeNoSense_areRefused() {
    assertThatThrownBy(() -> of(Map.of("x-dynamo-session-id", " ")))
        .isInstanceOf(FaultException.class)
        .hasMessage("x-dynamo-session-id must be 1 to 256 bytes long, but has 0");
    assertThatThrownBy(
            () -> of(Map.of("x-dynamo-session-id", "a", "x-dynamo-session-final", "maybe")))
        .isInstanceOf(FaultException.class)
        .hasMessage("x-dynamo-session-final must be true or false, but is \"maybe\"");
  }

  @Test
  void of_aNameThatIsTooLong_isRefusedWithItsHeader() {
    assertThatThrownBy(() -> of(Map.of("session_id", "x".repeat(257))))
        .isInstanceOf(FaultException.class)
        .hasMessageContaining("session_id")
        .hasMessageContaining("257");
  }

  private static Optional<Identity> of(Map<String, String> headers) {
    return Identity.of(
        IdentityRule.LADDER, name -> Optional.ofNullable(headers.get(name)).map(String::strip));
  }
}
