package dev.sojourn.server;

import static java.util.Objects.requireNonNull;

import dev.sojourn.engine.EngineConfig;
import dev.sojourn.server.access.IdentityRule;
import dev.sojourn.server.http.HttpConfig;
import dev.sojourn.text.answer.ParserChoice;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * How a gateway with embedded ranks is put together.
 *
 * @param http where it listens and what it puts up with
 * @param engine how each rank schedules and what it keeps
 * @param apiKeys file of API keys and their tenants; without one, every request is the default
 *     tenant's
 * @param implicitSessions whether a turn that only names a session opens it
 * @param identity headers in which clients name their session, best first
 * @param maxConcurrent the most generations at one time; more are refused as overload
 * @param transcriptBytes about how much memory the transcripts of sessions may take together
 * @param parsers how answers are read, where that is not to be found out from the model
 * @param drain how long running requests may take at shutdown
 */
public record GatewayConfig(
    HttpConfig http,
    EngineConfig engine,
    Optional<Path> apiKeys,
    boolean implicitSessions,
    List<IdentityRule> identity,
    int maxConcurrent,
    long transcriptBytes,
    ParserChoice parsers,
    Duration drain) {

  public GatewayConfig {
    identity = List.copyOf(identity);
    requireNonNull(http, "http");
    requireNonNull(engine, "engine");
    requireNonNull(parsers, "parsers");
    if (maxConcurrent < 1) {
      throw new IllegalArgumentException("maxConcurrent is at least 1, not " + maxConcurrent);
    }
    if (drain.isNegative()) {
      throw new IllegalArgumentException("drain is not negative, but " + drain);
    }
  }

  /** Returns the configuration of a gateway that nobody has tuned. */
  public static GatewayConfig defaults() {
    return new GatewayConfig(
        HttpConfig.defaults(),
        EngineConfig.defaults(),
        Optional.empty(),
        true,
        IdentityRule.LADDER,
        1024,
        256L << 20,
        ParserChoice.AUTO,
        Duration.ofSeconds(10));
  }

  /** Returns this with another way to listen. */
  public GatewayConfig withHttp(HttpConfig newHttp) {
    return new GatewayConfig(
        newHttp,
        engine,
        apiKeys,
        implicitSessions,
        identity,
        maxConcurrent,
        transcriptBytes,
        parsers,
        drain);
  }

  /** Returns this with engines that schedule and keep things another way. */
  public GatewayConfig withEngine(EngineConfig newEngine) {
    return new GatewayConfig(
        http,
        newEngine,
        apiKeys,
        implicitSessions,
        identity,
        maxConcurrent,
        transcriptBytes,
        parsers,
        drain);
  }
}
