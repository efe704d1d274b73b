package dev.sojourn.server.access;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.sojourn.core.Fault;
import dev.sojourn.core.Tenant;
import dev.sojourn.server.http.Exchange;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.dataformat.yaml.YAMLMapper;

/**
 * Who may come in, and as which tenant. Keys are held as SHA-256 digests and compared in constant
 * time; they are never logged and never part of a message. Immutable.
 */
public final class ApiKeys {

  private static final String BEARER = "Bearer ";
  private static final String MAX_PRIORITY = "max_priority";
  private static final List<String> FIELDS = List.of("tenant", MAX_PRIORITY);

  /** A key's digest and its tenant. */
  private static final class Entry {

    final byte[] digest;
    final Tenant tenant;

    Entry(byte[] digest, Tenant tenant) {
      this.digest = digest;
      this.tenant = tenant;
    }
  }

  /** What a line of the file says of its key. */
  private record Holder(Tenant tenant, Optional<TenantLimits> limits) {}

  private final List<Entry> entries;
  private final Map<Tenant, TenantLimits> limits;

  private ApiKeys(List<Entry> entries, Map<Tenant, TenantLimits> limits) {
    this.entries = List.copyOf(entries);
    this.limits = Map.copyOf(limits);
  }

  /** Returns the keys of a house without doors: everybody is the default tenant. */
  public static ApiKeys none() {
    return new ApiKeys(List.of(), Map.of());
  }

  /**
   * Reads a YAML or JSON file that maps keys to tenants: to the tenant's name, or to a map of that
   * ({@code tenant}) and the highest priority of the tenant's turns ({@code max_priority}).
   *
   * @throws IOException if it cannot be read, or is not such a map; the message names the file
   */
  public static ApiKeys read(Path file) throws IOException {
    Object tree;
    try {
      tree =
          YAMLMapper.builder()
              .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
              .build()
              .readValue(Files.readString(file), Object.class);
    } catch (NoSuchFileException e) {
      throw new IOException("API keys in " + file + ": there is no such file", e);
    } catch (JacksonException e) {
      // Without its cause, whose message may quote the file, and so a key.
      throw new IOException(
          "API keys in "
              + file
              + ": not valid YAML at line "
              + e.getLocation().getLineNr()
              + "; expected lines of the form \"key: tenant\"");
    }
    if (!(tree instanceof Map<?, ?> map) || map.isEmpty()) {
      throw new IOException("API keys in " + file + ": expected lines of the form \"key: tenant\"");
    }
    List<Entry> entries = new ArrayList<>();
    Map<Tenant, TenantLimits> limits = new HashMap<>();
    for (Map.Entry<?, ?> line : map.entrySet()) {
      int number = entries.size() + 1;
      if (!(line.getKey() instanceof String key) || key.isBlank()) {
        throw new IOException("API keys in " + file + ": key " + number + " is not a text");
      }
      try {
        Holder holder = holder(line.getValue());
        entries.add(new Entry(digest(key), holder.tenant()));
        holder.limits().ifPresent(given -> add(limits, holder.tenant(), given));
      } catch (IllegalArgumentException e) {
        throw new IOException("API keys in " + file + ": key " + number + ": " + e.getMessage(), e);
      }
    }
    return new ApiKeys(entries, limits);
  }

  private static Holder holder(Object value) {
    if (value instanceof String name) {
      return new Holder(new Tenant(name), Optional.empty());
    }
    if (!(value instanceof Map<?, ?> fields) || !(fields.get("tenant") instanceof String name)) {
      throw new IllegalArgumentException(
          "the tenant is not a text; expected \"key: tenant\" or \"key: {tenant: ..., max_priority:"
              + " ...}\"");
    }
    for (Object field : fields.keySet()) {
      if (!FIELDS.contains(field)) {
        throw new IllegalArgumentException("there is no field " + field + "; there are " + FIELDS);
      }
    }
    Object priority = fields.get(MAX_PRIORITY);
    if (priority != null && !(priority instanceof Integer)) {
      throw new IllegalArgumentException("max_priority is a whole number, not " + priority);
    }
    return new Holder(
        new Tenant(name),
        priority instanceof Integer most ? Optional.of(new TenantLimits(most)) : Optional.empty());
  }

  private static void add(Map<Tenant, TenantLimits> limits, Tenant tenant, TenantLimits given) {
    TenantLimits before = limits.putIfAbsent(tenant, given);
    if (before != null && !before.equals(given)) {
      throw new IllegalArgumentException(
          "tenant %s has max_priority %d by another key, and %d by this"
              .formatted(tenant, before.maxPriority(), given.maxPriority()));
    }
  }

  /** Returns what a tenant may ask for at most. */
  public TenantLimits limits(Tenant tenant) {
    return limits.getOrDefault(tenant, TenantLimits.NONE);
  }

  /**
   * Returns whose request it is, by {@code Authorization: Bearer} or {@code x-api-key}.
   *
   * @throws dev.sojourn.core.FaultException if keys are configured and it brings none of them
   */
  public Tenant tenant(Exchange exchange) {
    if (entries.isEmpty()) {
      return Tenant.DEFAULT;
    }
    Optional<String> key =
        exchange
            .header("authorization")
            .filter(value -> value.regionMatches(true, 0, BEARER, 0, BEARER.length()))
            .map(value -> value.substring(BEARER.length()).strip())
            .or(() -> exchange.header("x-api-key"));
    if (key.isEmpty()) {
      throw new Fault.Unauthenticated(
              "an API key is required: send it as \"Authorization: Bearer <key>\"")
          .asException();
    }
    byte[] digest = digest(key.get());
    Optional<Tenant> found = Optional.empty();
    for (Entry entry : entries) { // all of them: the time must not tell which one it was
      if (MessageDigest.isEqual(entry.digest, digest)) {
        found = Optional.of(entry.tenant);
      }
    }
    return found.orElseThrow(
        () -> new Fault.Unauthenticated("the API key is not known here").asException());
  }

  private static byte[] digest(String key) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(key.getBytes(UTF_8));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JVM has SHA-256", e);
    }
  }
}
