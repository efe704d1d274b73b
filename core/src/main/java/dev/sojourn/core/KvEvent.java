package dev.sojourn.core;

import java.util.Optional;
import java.util.OptionalLong;

/**
 * A change to the set of published pages that are resident on a rank. Replaying all events of a
 * rank from an empty state gives exactly that set.
 */
public sealed interface KvEvent {

  /**
   * A page filled up and can be found.
   *
   * @param hash the page's chained hash
   * @param parent the chained hash of the page before it; empty for a prompt's first page
   * @param namespace the seed of its chain
   * @param tokens its {@link BlockHasher#BLOCK} ids
   * @param session the session whose turn filled it, if any
   */
  record Stored(
      long hash, OptionalLong parent, long namespace, Tokens tokens, Optional<SessionId> session)
      implements KvEvent {}

  /** The page with this chained hash was freed. */
  record Removed(long hash) implements KvEvent {}

  /** All pages were freed. */
  record Cleared() implements KvEvent {}
}
