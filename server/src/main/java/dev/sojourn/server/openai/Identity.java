package dev.sojourn.server.openai;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.sojourn.core.Fault;
import dev.sojourn.core.SessionId;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * Who a request says it is, in its headers.
 *
 * @param session the session's name
 * @param parent the session that it was started from; only a hint where to run
 * @param last whether this is the session's last request
 * @param header the header that said so
 */
public record Identity(String session, Optional<String> parent, boolean last, String header) {

  /**
   * Headers in which a client names its session; the first rule that finds a name counts.
   *
   * @param session header of the session's name
   * @param parents headers of its parent's name; the first that is there counts
   * @param last header that says that the session ends; empty text for none
   */
  public record Rule(String session, List<String> parents, String last) {

    public Rule {
      parents = List.copyOf(parents);
    }

    private static Rule of(String session, String... parents) {
      return new Rule(session, List.of(parents), "");
    }
  }

  /** The canonical header; where it is present, no other counts. */
  static final String CANONICAL = "x-dynamo-session-id";

  /**
   * The canonical headers, other gateways' names for the same, then what coding agents send by
   * themselves. An agent's own id comes before that of the session that it works in, because its
   * conversation is its own.
   */
  public static final List<Rule> LADDER =
      List.of(
          new Rule(CANONICAL, List.of("x-dynamo-parent-session-id"), "x-dynamo-session-final"),
          Rule.of("x-smg-routing-key"),
          Rule.of("x-aibrix-session-key"),
          Rule.of("x-bf-session-id"),
          Rule.of("x-litellm-session-id"),
          Rule.of("x-multi-turn-session-id"),
          Rule.of("x-session-id", "x-parent-session-id"),
          Rule.of(
              "x-claude-code-agent-id",
              "x-claude-code-parent-agent-id",
              "x-claude-code-session-id"),
          Rule.of("x-claude-code-session-id"),
          Rule.of("x-session-affinity"),
          Rule.of("thread-id", "x-codex-parent-thread-id"),
          Rule.of("session-id"),
          Rule.of("session_id"),
          Rule.of("x-openclaw-session-key"),
          Rule.of("x-clawdbot-session-key"),
          Rule.of("x-moltbot-session-key"),
          Rule.of("x-grok-conv-id"),
          Rule.of("x-agent-session"),
          Rule.of("x-deepseek-harness-session-id", "x-deepseek-harness-parent-session-id"));

  /**
   * Reads it from a request's headers. Blanks around values and empty values do not count, nor does
   * a parent that is the session itself, nor a "final" that is neither true nor false.
   *
   * @param header returns a header's value by its name
   */
  static Optional<Identity> of(List<Rule> rules, Function<String, Optional<String>> header) {
    for (Rule rule : rules) {
      Optional<String> session = value(header, rule.session());
      if (session.isPresent()) {
        checkName(session.get(), rule.session());
        Optional<String> parent =
            rule.parents().stream()
                .flatMap(name -> value(header, name).stream())
                .findFirst()
                .filter(name -> !name.equals(session.get()));
        parent.ifPresent(name -> checkName(name, rule.session() + "'s parent"));
        boolean last =
            !rule.last().isEmpty()
                && value(header, rule.last()).filter(Identity::isTrue).isPresent();
        return Optional.of(new Identity(session.get(), parent, last, rule.session()));
      }
    }
    return Optional.empty();
  }

  boolean canonical() {
    return header.equals(CANONICAL);
  }

  /** Refuses a name that is empty or too long. */
  static void checkName(String name, String where) {
    int bytes = name.getBytes(UTF_8).length;
    if (bytes == 0 || bytes > SessionId.MAX_NAME_BYTES) {
      throw Fault.invalid(
              where, where + " is 1 to " + SessionId.MAX_NAME_BYTES + " bytes long, not " + bytes)
          .asException();
    }
  }

  private static Optional<String> value(Function<String, Optional<String>> header, String name) {
    return header.apply(name).filter(value -> !value.isBlank());
  }

  private static boolean isTrue(String value) {
    return value.equalsIgnoreCase("true") || value.equals("1");
  }
}
