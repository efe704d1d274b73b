package dev.sojourn.server.openai;

import static java.util.Objects.requireNonNull;

import dev.sojourn.backend.Worker;
import dev.sojourn.core.Fault;
import dev.sojourn.core.WorkerId;
import dev.sojourn.core.WorkerRank;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/** The workers that turns run at, by their names. Immutable, thread-safe. */
final class Workers {

  private final Map<WorkerId, Worker> byId = new HashMap<>();

  Workers(List<? extends Worker> workers) {
    workers.forEach(worker -> byId.put(worker.id(), worker));
  }

  /** Returns the worker that a rank belongs to. */
  Worker at(WorkerRank target) {
    @Nullable Worker worker = byId.get(target.worker());
    return requireNonNull(worker, () -> "no worker " + target.worker());
  }

  /** Returns the rank that a request insists on. */
  Optional<WorkerRank> pin(Nvext ext) {
    Optional<String> name = ext.worker();
    OptionalInt rank = ext.rank();
    if (name.isEmpty() && rank.isEmpty()) {
      return Optional.empty();
    }
    Worker worker =
        byId.values().stream()
            .filter(w -> name.isEmpty() ? byId.size() == 1 : w.id().name().equals(name.get()))
            .findFirst()
            .orElseThrow(() ->
                Fault.invalid(
                        "nvext.backend_instance_id",
                        "there is no worker "
                            + name.orElse("for a rank alone")
                            + "; there are "
                            + byId.keySet())
                    .asException());
    if (rank.orElse(0) >= worker.ranks()) {
      throw Fault.invalid(
              "nvext.dp_rank",
              "worker " + worker.id() + " has " + worker.ranks() + " ranks, counted from 0")
          .asException();
    }
    return Optional.of(new WorkerRank(worker.id(), rank.orElse(0)));
  }
}
