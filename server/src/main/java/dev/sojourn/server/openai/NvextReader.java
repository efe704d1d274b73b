package dev.sojourn.server.openai;

import dev.sojourn.core.AgentHints;
import dev.sojourn.core.Fault;
import dev.sojourn.core.SessionControl;
import dev.sojourn.core.Tenant;
import dev.sojourn.server.access.IdentityRule;
import dev.sojourn.server.access.TenantLimits;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Function;

/**
 * Reads {@link Nvext} from a request: the body's {@code nvext}, the headers that name a session, a
 * worker or a priority, and SGLang's fields. Body and header that disagree on a session are
 * refused; of the others, headers win, as in Dynamo. Immutable.
 */
final class NvextReader {

  private static final List<String> EXTRA_FIELDS =
      List.of("prompt_token_ids", "completion_token_ids");

  private static final String PRIORITY = "x-dynamo-request-priority";
  private static final List<String> WORKERS =
      List.of("x-dynamo-worker-instance-id", "x-worker-instance-id");
  private static final List<String> RANKS =
      List.of("x-dynamo-dp-rank", "x-dp-rank", "x-data-parallel-rank");

  private final List<IdentityRule> ladder;
  private final SessionFields sessions;
  private final Function<Tenant, TenantLimits> limits;

  /**
   * Creates a reader.
   *
   * @param ladder headers that name sessions, best first
   * @param implicitSessions whether a session that is named but not open is opened
   * @param limits what tenants may ask for at most; more is clipped
   */
  NvextReader(
      List<IdentityRule> ladder, boolean implicitSessions, Function<Tenant, TenantLimits> limits) {
    this.ladder = List.copyOf(ladder);
    sessions = new SessionFields(implicitSessions);
    this.limits = limits;
  }

  /** Reads what a request says beyond OpenAI's fields. */
  Nvext read(Fields body, Function<String, Optional<String>> header, Tenant tenant) {
    Optional<Fields> nvext = body.object("nvext");
    Identity identity = Identity.of(ladder, header);
    Optional<Fields> asked = nvext.flatMap(fields -> fields.object("session_control"));
    Optional<SessionControl> control =
        asked.isPresent()
            ? Optional.of(sessions.control(asked.get(), identity, tenant))
            : sessions.byName(body, nvext, identity, tenant);
    Map<String, String> outcomes = new LinkedHashMap<>();
    AgentHints hints = hints(nvext, number(header, PRIORITY), limits.apply(tenant), outcomes);
    List<String> extra = nvext.map(NvextReader::extraFields).orElse(List.of());
    return new Nvext(
        control,
        SessionParams.of(body, nvext, control.isPresent() && asked.isEmpty()),
        nvext.isPresent(),
        hints,
        outcomes,
        salt(body, nvext, header),
        first(header, WORKERS)
            .flatMap(name -> header.apply(name).map(said -> new Asserted<>(name, said)))
            .or(() -> nvext.flatMap(NvextReader::worker)),
        rank(nvext, header),
        extra.contains("prompt_token_ids"),
        extra.contains("completion_token_ids"),
        nvext.filter(NvextReader::queryOnly).isPresent());
  }

  private static List<String> extraFields(Fields nvext) {
    List<String> names = nvext.texts("extra_fields");
    for (int i = 0; i < names.size(); i++) {
      if (!EXTRA_FIELDS.contains(names.get(i))) {
        throw nvext.wrong(
            "extra_fields[" + i + "]",
            "must be one of "
                + String.join(", ", EXTRA_FIELDS)
                + ", but is "
                + Fields.shown(names.get(i)));
      }
    }
    return names;
  }

  private static AgentHints hints(
      Optional<Fields> nvext,
      OptionalInt inHeader,
      TenantLimits limits,
      Map<String, String> outcomes) {
    Optional<Fields> hints = nvext.flatMap(fields -> fields.object("agent_hints"));
    OptionalInt inBody =
        hints
            .map(fields -> fields.integer("priority", Integer.MIN_VALUE, Integer.MAX_VALUE))
            .orElse(OptionalInt.empty());
    int asked = inHeader.orElse(inBody.orElse(0));
    int priority = Math.clamp(asked, -TenantLimits.MAX_PRIORITY, limits.maxPriority());
    OptionalInt output =
        hints
            .map(fields -> fields.integer("osl", 0, Integer.MAX_VALUE))
            .orElse(OptionalInt.empty());
    hints.ifPresent(fields -> {
      for (Object name : fields.values().keySet()) {
        outcomes.put(
            String.valueOf(name),
            switch (String.valueOf(name)) {
              case "priority" -> outcome(asked, priority);
              case "osl" -> "accepted";
              default -> "rejected";
            });
      }
    });
    inHeader.ifPresent(_ -> outcomes.put("priority", outcome(asked, priority)));
    Optional<Duration> retention =
        nvext.flatMap(fields -> fields.object("cache_control")).map(NvextReader::retention);
    retention.ifPresent(_ -> outcomes.put("cache_control", "accepted"));
    return new AgentHints(priority, output, retention);
  }

  private static String outcome(int asked, int given) {
    return given == asked ? "accepted" : "clipped";
  }

  private static Duration retention(Fields cacheControl) {
    String type = cacheControl.requiredText("type");
    if (!type.equals("ephemeral")) {
      throw cacheControl.wrong("type", "must be ephemeral, but is " + Fields.shown(type));
    }
    String ttl = cacheControl.text("ttl").orElse("5m");
    return switch (ttl) {
      case "5m" -> Duration.ofMinutes(5);
      case "1h" -> Duration.ofHours(1);
      default -> throw cacheControl.wrong("ttl", "must be 5m or 1h, but is " + Fields.shown(ttl));
    };
  }

  /** The header wins over nvext, and that over the top level: as in Dynamo. */
  private static String salt(
      Fields body, Optional<Fields> nvext, Function<String, Optional<String>> header) {
    return header
        .apply("x-tenant-id")
        .filter(value -> !value.isEmpty())
        .or(() -> nvext.flatMap(fields -> fields.text("cache_salt")))
        .or(() -> body.text("cache_salt"))
        .orElse("");
  }

  private static Optional<Asserted<Integer>> rank(
      Optional<Fields> nvext, Function<String, Optional<String>> header) {
    Optional<String> named = first(header, RANKS);
    if (named.isPresent()) {
      return asserted(named.get(), number(header, named.get()));
    }
    return nvext.flatMap(fields ->
        asserted(
            fields.at("dp_rank"), fields.integer("dp_rank", Integer.MIN_VALUE, Integer.MAX_VALUE)));
  }

  private static Optional<Asserted<Integer>> asserted(String field, OptionalInt value) {
    return value.isEmpty()
        ? Optional.empty()
        : Optional.of(new Asserted<>(field, value.getAsInt()));
  }

  /** Returns the first of some headers that is there and says something. */
  private static Optional<String> first(
      Function<String, Optional<String>> header, List<String> names) {
    return names.stream()
        .filter(name -> header.apply(name).filter(value -> !value.isBlank()).isPresent())
        .findFirst();
  }

  /** Reads a whole number; unlike Dynamo, refuses what is none. */
  private static OptionalInt number(Function<String, Optional<String>> header, String name) {
    Optional<String> value = first(header, List.of(name)).flatMap(header);
    try {
      return value.isEmpty() ? OptionalInt.empty() : OptionalInt.of(Integer.parseInt(value.get()));
    } catch (NumberFormatException e) {
      throw Fault.invalid(
              name, name + " must be a whole number, but is " + Fields.shown(value.get()))
          .asException();
    }
  }

  private static Optional<Asserted<String>> worker(Fields nvext) {
    Optional<String> name =
        nvext.raw("backend_instance_id") instanceof Number number
            ? Optional.of(number.toString())
            : nvext.text("backend_instance_id");
    return name.map(said -> new Asserted<>(nvext.at("backend_instance_id"), said));
  }

  private static boolean queryOnly(Fields nvext) {
    return nvext.texts("annotations").stream().anyMatch(a -> a.startsWith("query_instance_id:"));
  }
}
