package dev.sojourn.server.access;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sojourn.core.Tenant;
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
    refuses("secret-key: 5\n", "key 1: the tenant is not a text");
    refuses("secret-key: {max_priority: 5}\n", "key 1: the tenant is not a text");
    refuses("secret-key: {tenant: t, max_priority: high}\n", "key 1: max_priority is a whole");
    refuses("secret-key: {tenant: t, max_priority: 101}\n", "max_priority is -100 to 100");
    refuses("secret-key: {tenant: t, priority: 5}\n", "there is no field priority");
    refuses(
        "secret-key: {tenant: t, max_priority: 5}\nsecret-key-2: {tenant: t, max_priority: 6}\n",
        "key 2: tenant t has max_priority 5 by another key, and 6 by this");
    refuses("secret-key: ''\n", "key 1");
  }

  @Test
  void read_limitsOfTenants_areTheirsByAllTheirKeys() throws Exception {
    ApiKeys keys =
        ApiKeys.read(
            Files.writeString(
                dir.resolve("keys.yaml"),
                "a: {tenant: slow, max_priority: -5}\nb: slow\nc: {tenant: plain}\nd: other\n"));
    assertThat(keys.limits(new Tenant("slow"))).isEqualTo(new TenantLimits(-5));
    assertThat(keys.limits(new Tenant("plain"))).isEqualTo(TenantLimits.NONE);
    assertThat(keys.limits(new Tenant("other"))).isEqualTo(TenantLimits.NONE);
    assertThat(ApiKeys.none().limits(Tenant.DEFAULT)).isEqualTo(TenantLimits.NONE);
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
