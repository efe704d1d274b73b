package dev.sojourn.router;

import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.Tenant;
import dev.sojourn.core.WorkerRank;
import java.util.Optional;

/**
 * What a request wants of the router.
 *
 * @param requestId names the turn
 * @param tenant who it is for
 * @param control what it asks of a session, if it names one
 * @param pin the rank that the client insists on
 * @param queryOnly whether it only asks where it would go, and must change nothing
 */
public record TurnIntent(
    String requestId,
    Tenant tenant,
    Optional<SessionControl> control,
    Optional<WorkerRank> pin,
    boolean queryOnly) {

  public TurnIntent {
    if (control.isPresent() && !control.get().session().tenant().equals(tenant)) {
      throw new IllegalArgumentException(
          "a request of tenant " + tenant + " names a session of another tenant");
    }
  }

  /** Returns whether it is its session's last turn. */
  boolean closes() {
    return control.filter(asked -> asked.action() == Action.CLOSE).isPresent();
  }
}
