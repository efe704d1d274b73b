package dev.sojourn.server.sessions;

import dev.sojourn.core.Fault;
import dev.sojourn.core.SessionId;
import dev.sojourn.server.http.Exchange;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The requests that are in some turn of a session, so that the turn can be aborted. Thread-safe.
 */
public final class RunningTurns {

  private final Map<SessionId, Set<Exchange>> exchanges = new ConcurrentHashMap<>();

  /** Notes that a request is in a turn of a session. */
  public void add(SessionId session, Exchange exchange) {
    exchanges.compute(
        session,
        (_, present) -> {
          Set<Exchange> set = present == null ? ConcurrentHashMap.newKeySet() : present;
          set.add(exchange);
          return set;
        });
  }

  /** Notes that it no longer is. */
  public void remove(SessionId session, Exchange exchange) {
    exchanges.computeIfPresent(
        session,
        (_, set) -> {
          set.remove(exchange);
          return set.isEmpty() ? null : set;
        });
  }

  /** Aborts the turns of a session, those that wait included; returns how many there were. */
  public int abort(SessionId session) {
    Set<Exchange> present = exchanges.getOrDefault(session, Set.of());
    present.forEach(exchange ->
        exchange.abort(new Fault.Cancelled("the turn was aborted: its session is closed")));
    return present.size();
  }
}
