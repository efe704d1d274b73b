package dev.sojourn.server.openai;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sojourn.core.FaultException;
import dev.sojourn.server.access.IdentityRule;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** Which header names a session. */
final class IdentityTest {

  private static final Pattern HEADER = Pattern.compile("(?<=`)[a-z][a-z_-]*(?=`)");

  @Test
  void of_theCanonicalHeader_winsOverAllOthers() {
    Identity identity =
        of(
            Map.of(
                "x-claude-code-session-id", "claude",
                "x-session-id", "plain",
                "x-parent-session-id", "other",
                "x-dynamo-session-id", "canonical",
                "x-dynamo-parent-session-id", "parent",
                "x-dynamo-session-final", "TRUE"));
    assertThat(identity.session()).contains(new Asserted<>(IdentityRule.CANONICAL, "canonical"));
    assertThat(identity.parent()).contains("parent");
    assertThat(identity.last()).contains(new Asserted<>("x-dynamo-session-final", true));
  }

  @Test
  void of_anAgentWithinASession_isTheAgentWithTheSessionAsParent() {
    assertThat(of(Map.of("x-claude-code-session-id", "root", "x-claude-code-agent-id", "child")))
        .isEqualTo(
            new Identity(
                Optional.of(new Asserted<>("x-claude-code-agent-id", "child")),
                Optional.of("root"),
                Optional.empty()));
  }

  @Test
  void of_theCanonicalParent_countsBesideAnAgentsOwnName() {
    Map<String, String> agent = Map.of("session_id", "s", "x-dynamo-parent-session-id", "parent");
    assertThat(of(agent).parent()).contains("parent");
    assertThat(
            of(Map.of(
                    "x-claude-code-session-id", "root",
                    "x-claude-code-agent-id", "child",
                    "x-dynamo-parent-session-id", "parent"))
                .parent())
        .contains("root");
  }

  @Test
  void of_valuesThatSayNothing_areNotThere() {
    Identity nobody = new Identity(Optional.empty(), Optional.empty(), Optional.empty());
    assertThat(of(Map.of("x-session-id", "  "))).isEqualTo(nobody);
    assertThat(of(Map.of())).isEqualTo(nobody);
    Identity same =
        of(
            Map.of(
                "x-dynamo-session-id", "same",
                "x-dynamo-parent-session-id", "same",
                "x-dynamo-session-final", ""));
    assertThat(same.near("same")).isEmpty();
    assertThat(same.last()).isEmpty();
  }

  @Test
  void of_headersBesideANameThatIsElsewhere_count() {
    Identity besideABody =
        of(Map.of("x-dynamo-parent-session-id", "parent", "x-dynamo-session-final", "1"));
    assertThat(besideABody.session()).isEmpty();
    assertThat(besideABody.near("child")).contains("parent");
    assertThat(besideABody.last()).contains(new Asserted<>("x-dynamo-session-final", true));
    assertThat(of(Map.of("session_id", "s", "x-dynamo-session-final", "0")).last())
        .contains(new Asserted<>("x-dynamo-session-final", false));
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

  private static Identity of(Map<String, String> headers) {
    return Identity.of(
        IdentityRule.LADDER, name -> Optional.ofNullable(headers.get(name)).map(String::strip));
  }

  @Test
  void page_listsTheHeadersOfTheLadderInTheirOrder() throws Exception {
    String page = Files.readString(Path.of("../docs/sessions.md"));
    int table = page.indexOf("### Headers of other clients");
    List<String> sessions = new ArrayList<>();
    List<String> parents = new ArrayList<>();
    String section = page.substring(table, page.indexOf("\n## ", table));
    for (String row : section.lines().toList()) {
      String[] cells = row.split("\\|", -1);
      if (cells.length == 4) {
        HEADER.matcher(cells[1]).results().map(MatchResult::group).forEach(sessions::add);
        HEADER.matcher(cells[2]).results().map(MatchResult::group).forEach(parents::add);
      }
    }
    assertThat(sessions)
        .containsExactlyElementsOf(
            IdentityRule.LADDER.stream().map(IdentityRule::session).toList());
    assertThat(parents)
        .containsExactlyElementsOf(
            IdentityRule.LADDER.stream().flatMap(rule -> rule.parents().stream()).toList());
  }
}
