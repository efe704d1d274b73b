package dev.sojourn.core;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;

/**
 * A session's identity: a name within a tenant. Each life of a session also has an {@link
 * Incarnation}.
 *
 * @param tenant whose session it is
 * @param name chosen by the client; 1 to {@value #MAX_NAME_BYTES} bytes of UTF-8
 */
public record SessionId(Tenant tenant, String name) {

  /** The longest name, in bytes of UTF-8; Dynamo's limit. */
  public static final int MAX_NAME_BYTES = 256;

  public SessionId {
    requireNonNull(tenant, "tenant");
    requireNonNull(name, "name");
    int bytes = name.getBytes(UTF_8).length;
    if (bytes == 0 || bytes > MAX_NAME_BYTES) {
      throw new IllegalArgumentException(
          "a session name has 1 to " + MAX_NAME_BYTES + " bytes, this one has " + bytes);
    }
  }

  @Override
  public String toString() {
    return tenant.name() + "/" + name;
  }
}
