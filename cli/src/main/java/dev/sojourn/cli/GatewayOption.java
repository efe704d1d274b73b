package dev.sojourn.cli;

import dev.sojourn.bench.GatewayClient;
import dev.sojourn.core.Clock;
import java.net.URI;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options of a command that talks to a running gateway. */
final class GatewayOption {

  /** Where {@code sojourn serve} listens when nothing else is said. */
  static final String DEFAULT_URL = "http://127.0.0.1:8000";

  @Option(
      names = "--url",
      paramLabel = "URL",
      defaultValue = DEFAULT_URL,
      description = "The gateway's address (default: ${DEFAULT-VALUE}).")
  private URI url = URI.create(DEFAULT_URL);

  @Option(
      names = "--api-key",
      paramLabel = "KEY",
      description = "The API key to send; better given as SOJOURN_API_KEY, where ps cannot see it.")
  private @Nullable String apiKey;

  GatewayClient client() {
    return client(url);
  }

  /** Returns a client of the gateway at another address. */
  GatewayClient client(URI address) {
    return client(address, Optional.ofNullable(apiKey));
  }

  static GatewayClient client(URI url, Optional<String> apiKey) {
    try {
      return new GatewayClient(url, apiKey, Clock.system());
    } catch (IllegalArgumentException e) {
      throw UserError.usage(String.valueOf(e.getMessage()));
    }
  }
}
