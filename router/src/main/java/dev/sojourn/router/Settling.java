package dev.sojourn.router;

import dev.sojourn.core.Fault;
import dev.sojourn.core.SessionId;
import dev.sojourn.router.affinity.AffinityStore;
import dev.sojourn.router.affinity.Binding;
import dev.sojourn.router.affinity.Binding.Opening;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;

/**
 * Waiting for a session that another gateway opens: its end is a change that the store tells of.
 * (Turns of this gateway wait in {@link TurnOrder}.) Thread-safe.
 */
final class Settling implements AutoCloseable {

  private final AffinityStore store;
  private final Map<SessionId, CountDownLatch> changes = new ConcurrentHashMap<>();
  private volatile boolean closed;

  Settling(AffinityStore store) {
    this.store = store;
  }

  /** Returns what the name stands for once nobody opens it any more. */
  Binding settled(SessionId id) throws InterruptedException {
    Binding binding = store.peek(id);
    while (binding instanceof Opening) {
      CountDownLatch change = changes.computeIfAbsent(id, _ -> new CountDownLatch(1));
      // Looked at again after the latch is there: a change before that would not open it.
      binding = store.peek(id);
      if (closed) {
        throw new Fault.Unavailable("the router is shutting down").asException();
      }
      if (binding instanceof Opening) {
        change.await();
        binding = store.peek(id);
      } else {
        changed(id); // told before the latch was there, perhaps for the last time
      }
    }
    return binding;
  }

  /** Hears that a name changed. */
  void changed(SessionId id) {
    CountDownLatch change = changes.remove(id);
    if (change != null) {
      change.countDown();
    }
  }

  /** Sends away all who wait. */
  @Override
  public void close() {
    closed = true;
    changes.values().forEach(CountDownLatch::countDown);
  }
}
