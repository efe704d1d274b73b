package dev.sojourn.engine.kv;

import dev.sojourn.core.KvEvent;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * Who is told of pages that come and go. A subscriber that throws is dropped: having missed an
 * event it could never be in step again.
 */
final class KvEventFeed {

  private static final Logger LOG = System.getLogger(KvEventFeed.class.getName());

  /** Replaced when it changes: while events are told, too. */
  private List<Consumer<KvEvent>> subscribers = List.of();

  boolean isSilent() {
    return subscribers.isEmpty();
  }

  /** Tells a new subscriber the past, then adds it. */
  void subscribe(Consumer<KvEvent> subscriber, List<KvEvent> past) {
    subscribers = Stream.concat(subscribers.stream(), Stream.of(subscriber)).toList();
    for (KvEvent event : past) {
      if (!tell(subscriber, event)) {
        return;
      }
    }
  }

  void emit(KvEvent event) {
    List<Consumer<KvEvent>> present = subscribers;
    for (int i = 0; i < present.size(); i++) {
      tell(present.get(i), event);
    }
  }

  private boolean tell(Consumer<KvEvent> subscriber, KvEvent event) {
    try {
      subscriber.accept(event);
      return true;
    } catch (RuntimeException e) {
      subscribers = subscribers.stream().filter(other -> !other.equals(subscriber)).toList();
      LOG.log(Level.ERROR, "a subscriber to KV events failed and is dropped", e);
      return false;
    }
  }
}
