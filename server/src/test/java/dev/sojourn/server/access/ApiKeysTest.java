package dev.sojourn.server.access;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Files of API keys that cannot be used; those that can are used in {@link
 * dev.sojourn.server.GatewayTest}.
 */
final class ApiKeysTest {

  @TempDir Path dir;

  @Test
  void read_aFileThatIsNotThere_namesIt() {
    Path missing = dir.resolve("missing.yaml");
    assertThatThrownBy(() -> ApiKeys.read(missing))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("missing.yaml: there is no such file");
  }

  @Test
  void read_aFileThatIsNoMap_saysWhatIsExpectedAndNeverWhatIsThere() throws Exception {
    refuses("- secret-key\n", "key: tenant");
    refuses("", "key: tenant");
    refuses("secret-key: [team\n", "not valid YAML at line");
    refuses("secret-key: team\nsecret-key: other\n", "not valid YAML at line 2");
    refuses("secret-key: 5\n", "the tenant of key 1");
    refuses("secret-key: ''\n", "key 1");
  }

  private void refuses(String content, String reason) throws Exception {
    Path file = Files.writeString(dir.resolve("keys.yaml"), content);
    assertThatThrownBy(() -> ApiKeys.read(file))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("keys.yaml")
        .hasMessageContaining(reason)
        .message()
        .doesNotContain("secret-key");
  }
}
