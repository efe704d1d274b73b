package dev.sojourn.server.access;

import java.util.List;

/**
 * A header in which clients name their session. Of a list of rules, the first that finds a name
 * counts.
 *
 * @param session header of the session's name
 * @param parents headers of its parent's name; the first that is there counts
 * @param last header that says that the session ends; empty text for none
 */
public record IdentityRule(String session, List<String> parents, String last) {

  /** The canonical header; where it is present, no other counts. */
  public static final String CANONICAL = "x-dynamo-session-id";

  /**
   * The canonical headers, other gateways' names for the same, then what coding agents send by
   * themselves. An agent's own id comes before that of the session that it works in, because its
   * conversation is its own.
   */
  public static final List<IdentityRule> LADDER =
      List.of(
          new IdentityRule(
              CANONICAL, List.of("x-dynamo-parent-session-id"), "x-dynamo-session-final"),
          of("x-smg-routing-key"),
          of("x-aibrix-session-key"),
          of("x-bf-session-id"),
          of("x-litellm-session-id"),
          of("x-multi-turn-session-id"),
          of("x-session-id", "x-parent-session-id"),
          of("x-claude-code-agent-id", "x-claude-code-parent-agent-id", "x-claude-code-session-id"),
          of("x-claude-code-session-id"),
          of("x-session-affinity"),
          of("thread-id", "x-codex-parent-thread-id"),
          of("session-id"),
          of("session_id"),
          of("x-openclaw-session-key"),
          of("x-clawdbot-session-key"),
          of("x-moltbot-session-key"),
          of("x-grok-conv-id"),
          of("x-agent-session"),
          of("x-deepseek-harness-session-id", "x-deepseek-harness-parent-session-id"));

  public IdentityRule {
    parents = List.copyOf(parents);
  }

  private static IdentityRule of(String session, String... parents) {
    return new IdentityRule(session, List.of(parents), "");
  }
}
