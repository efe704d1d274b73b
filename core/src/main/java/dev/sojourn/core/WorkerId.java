package dev.sojourn.core;

import static java.util.Objects.requireNonNull;

/** A worker's name, unique among the workers that a router knows; it may have several ranks. */
public record WorkerId(String name) {

  public WorkerId {
    requireNonNull(name, "name");
    if (name.isBlank()) {
      throw new IllegalArgumentException("a worker name is not blank");
    }
  }

  @Override
  public String toString() {
    return name;
  }
}
