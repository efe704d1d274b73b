package dev.sojourn.server.openai;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.sojourn.core.Fault;
import dev.sojourn.core.SessionId;
import dev.sojourn.server.access.IdentityRule;
import java.util.List;
import java.util.Locale;
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
record Identity(String session, Optional<String> parent, boolean last, String header) {

  /**
   * Reads it from a request's headers. Blanks around values do not count, nor does a parent that is
   * the session itself, nor an empty value of a header that coding agents send by themselves.
   *
   * @param header returns a header's value by its name
   * @throws dev.sojourn.core.FaultException InvalidRequest, if a name is too long, the canonical
   *     header is empty, or a "final" is neither true nor false
   */
  static Optional<Identity> of(
      List<IdentityRule> rules, Function<String, Optional<String>> header) {
    for (IdentityRule rule : rules) {
      boolean last = !rule.last().isEmpty() && isLast(header, rule.last());
      if (rule.session().equals(IdentityRule.CANONICAL)) {
        header.apply(rule.session()).ifPresent(name -> checkName(name.strip(), rule.session()));
      }
      Optional<String> session = value(header, rule.session());
      if (session.isPresent()) {
        checkName(session.get(), rule.session());
        Optional<String> parent =
            rule.parents().stream()
                .flatMap(name -> value(header, name).stream())
                .findFirst()
                .filter(name -> !name.equals(session.get()));
        parent.ifPresent(name -> checkName(name, rule.session() + "'s parent"));
        return Optional.of(new Identity(session.get(), parent, last, rule.session()));
      }
    }
    return Optional.empty();
  }

  /** Refuses a name that is empty or too long. */
  static void checkName(String name, String where) {
    int bytes = name.getBytes(UTF_8).length;
    if (bytes == 0 || bytes > SessionId.MAX_NAME_BYTES) {
      throw Fault.invalid(
              where,
              where + " must be 1 to " + SessionId.MAX_NAME_BYTES + " bytes long, but has " + bytes)
          .asException();
    }
  }

  private static Optional<String> value(Function<String, Optional<String>> header, String name) {
    return header.apply(name).filter(value -> !value.isBlank());
  }

  private static boolean isLast(Function<String, Optional<String>> header, String name) {
    String value = value(header, name).orElse("false");
    return switch (value.toLowerCase(Locale.ROOT)) {
      case "true", "1" -> true;
      case "false", "0" -> false;
      default ->
          throw Fault.invalid(name, name + " must be true or false, but is " + Fields.shown(value))
              .asException();
    };
  }
}
