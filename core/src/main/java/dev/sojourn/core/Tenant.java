package dev.sojourn.core;

import static java.util.Objects.requireNonNull;

/**
 * Who a request acts for; comes from its API key and from nothing else. A tenant never reaches
 * another tenant's sessions or cached tokens.
 *
 * @param name a label of at most 128 characters, not blank
 */
public record Tenant(String name) {

  /** The tenant of every request while no API keys are configured. */
  public static final Tenant DEFAULT = new Tenant("default");

  public Tenant {
    requireNonNull(name, "name");
    if (name.isBlank() || name.length() > 128) {
      throw new IllegalArgumentException(
          "a tenant name has 1 to 128 characters, this one has " + name.length());
    }
  }

  @Override
  public String toString() {
    return name;
  }
}
