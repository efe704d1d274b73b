package dev.sojourn.server.access;

/**
 * What a tenant may ask for at most; more is clipped to it.
 *
 * @param maxPriority the highest priority of its turns
 */
public record TenantLimits(int maxPriority) {

  /** The highest and, negated, the lowest priority there is. */
  public static final int MAX_PRIORITY = 100;

  /** The limits of a tenant of whom nobody said otherwise. */
  public static final TenantLimits NONE = new TenantLimits(MAX_PRIORITY);

  public TenantLimits {
    if (maxPriority < -MAX_PRIORITY || maxPriority > MAX_PRIORITY) {
      throw new IllegalArgumentException(
          "max_priority is -" + MAX_PRIORITY + " to " + MAX_PRIORITY + ", not " + maxPriority);
    }
  }
}
