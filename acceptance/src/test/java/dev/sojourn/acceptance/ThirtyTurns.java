package dev.sojourn.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.bench.GatewayException;
import dev.sojourn.bench.Metrics;
import java.util.Map;

/** What a session of thirty streamed turns must show, whichever client takes them. */
final class ThirtyTurns {

  static final int TURNS = 30;
  static final int MAX_TOKENS = 8;

  private final House house;
  private final String session;
  private long context; // tokens after the last turn

  ThirtyTurns(House house, String session) {
    this.house = house;
    this.session = session;
  }

  /** Returns {@code nvext} of a turn, from 1. */
  Map<String, Object> nvext(int turn) {
    Map<String, Object> control =
        switch (turn) {
          case 1 -> Map.of("session_id", session, "action", "open", "timeout", 60);
          case TURNS -> Map.of("session_id", session, "action", "close");
          default -> Map.of("session_id", session);
        };
    return Map.of("session_control", control);
  }

  static String question(int turn) {
    return "Turn " + turn + ": what do you see?";
  }

  /** Checks what a turn reported. */
  void took(int turn, long promptTokens, long completionTokens, long cachedTokens) {
    if (turn > 1) {
      assertThat(cachedTokens)
          .as("turn %d: all but the last of the %d tokens before it are reused", turn, context)
          .isEqualTo(context - 1);
    }
    assertThat(completionTokens).isBetween(1L, (long) MAX_TOKENS);
    assertThat(promptTokens).isGreaterThan(context);
    context = promptTokens + completionTokens;
  }

  /** Checks that the session is gone, and that what was its own is free. */
  void closed() {
    try {
      house.client().get("/v1/sessions/" + session);
      throw new AssertionError("the session is still there after its close");
    } catch (GatewayException e) {
      assertThat(e.status()).isEqualTo(404);
    }
    house.assertNothingHeld();
    Metrics metrics = house.client().metrics();
    assertThat(metrics.sum("sojourn_kv_pages_free"))
        .as("the only session there was has given everything back")
        .isEqualTo(metrics.sum("sojourn_kv_pages"));
  }
}
