package dev.sojourn.router;

import dev.sojourn.core.SessionId;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.affinity.AffinityStore.Change;
import dev.sojourn.router.affinity.AffinityStore.Entry;
import dev.sojourn.router.affinity.Binding;
import dev.sojourn.router.affinity.Binding.Bound;
import dev.sojourn.router.affinity.Binding.Opening;
import dev.sojourn.router.affinity.Binding.Vacant;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** How many bindings there are, of what sort and where, counted from their changes. Thread-safe. */
final class Placements {

  private final Map<Object, Integer> counts = new ConcurrentHashMap<>();

  /** What is counted of each name. */
  private final Map<SessionId, Binding> counted = new ConcurrentHashMap<>();

  private record Children(SessionId parent, WorkerRank rank) {}

  /** Hears of a change; those of one name come in their order. */
  void changed(Change change) {
    Binding after = change.after();
    Binding before =
        after instanceof Vacant ? counted.remove(change.id()) : counted.put(change.id(), after);
    if (before != null) {
      count(before, -1);
    }
    count(after, 1);
  }

  /**
   * Counts a binding that was there before anybody heard of changes; returns whether it was new.
   */
  boolean found(Entry entry) {
    boolean isNew = counted.putIfAbsent(entry.id(), entry.binding()) == null;
    if (isNew) {
      count(entry.binding(), 1);
    }
    return isNew;
  }

  private void count(Binding binding, int by) {
    switch (binding) {
      case Vacant _ -> {}
      case Opening _ -> add(Opening.class, by);
      case Bound bound -> {
        add(bound.terms().kind(), by);
        add(bound.target(), by);
        bound.terms().parent().ifPresent(parent -> add(new Children(parent, bound.target()), by));
      }
    }
  }

  private void add(Object what, int by) {
    counts.merge(what, by, (old, more) -> old + more == 0 ? null : old + more);
  }

  int opening() {
    return counts.getOrDefault(Opening.class, 0);
  }

  int of(dev.sojourn.router.affinity.Terms.Kind kind) {
    return counts.getOrDefault(kind, 0);
  }

  int on(WorkerRank rank) {
    return counts.getOrDefault(rank, 0);
  }

  int children(SessionId parent, WorkerRank rank) {
    return counts.getOrDefault(new Children(parent, rank), 0);
  }
}
