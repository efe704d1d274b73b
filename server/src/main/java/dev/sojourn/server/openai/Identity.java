package dev.sojourn.server.openai;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.sojourn.core.Fault;
import dev.sojourn.core.SessionId;
import dev.sojourn.server.access.IdentityRule;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;

/**
 * Who a request says it is, in its headers. What they say besides the session's name counts however
 * that is named.
 *
 * @param session the session's name
 * @param parent the session that it was started from; only a hint where to run
 * @param last whether this is the session's last request
 */
record Identity(
    Optional<Asserted<String>> session, Optional<String> parent, Optional<Asserted<Boolean>> last) {

  /**
   * Reads it from a request's headers. Blanks around values do not count, nor does an empty value
   * of a header that coding agents send by themselves.
   *
   * @param header returns a header's value by its name
   * @throws dev.sojourn.core.FaultException InvalidRequest, if a name is too long, the canonical
   *     header is empty, or a "final" is neither true nor false
   */
  static Identity of(List<IdentityRule> rules, Function<String, Optional<String>> header) {
    header
        .apply(IdentityRule.CANONICAL)
        .ifPresent(name -> checkName(name.strip(), IdentityRule.CANONICAL));
    Optional<IdentityRule> names =
        rules.stream().filter(rule -> value(header, rule.session()).isPresent()).findFirst();
    Optional<Asserted<String>> session =
        names
            .map(IdentityRule::session)
            .flatMap(name -> value(header, name).map(said -> new Asserted<>(name, said)));
    session.ifPresent(said -> checkName(said.value(), said.field()));
    Optional<Asserted<String>> parent =
        rules.stream()
            .filter(rule ->
                names.filter(named -> !named.equals(rule)).isEmpty()
                    || rule.session().equals(IdentityRule.CANONICAL))
            .sorted(Comparator.comparing(rule -> !names.equals(Optional.of(rule)))) // its own first
            .flatMap(rule -> rule.parents().stream())
            .flatMap(name -> value(header, name).map(said -> new Asserted<>(name, said)).stream())
            .findFirst();
    parent.ifPresent(said -> checkName(said.value(), said.field()));
    Optional<Asserted<Boolean>> last =
        rules.stream()
            .map(IdentityRule::last)
            .filter(name -> !name.isEmpty())
            .flatMap(name -> value(header, name).map(said -> isLast(name, said)).stream())
            .findFirst();
    return new Identity(session, parent.map(Asserted::value), last);
  }

  /** Returns the session that another one was started from; nobody is started from itself. */
  Optional<String> near(String name) {
    return parent.filter(other -> !other.equals(name));
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

  private static Asserted<Boolean> isLast(String name, String value) {
    return new Asserted<>(
        name,
        switch (value.toLowerCase(Locale.ROOT)) {
          case "true", "1" -> true;
          case "false", "0" -> false;
          default ->
              throw Fault.invalid(
                      name, name + " must be true or false, but is " + Fields.shown(value))
                  .asException();
        });
  }
}
