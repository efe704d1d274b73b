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
import java.util.stream.Collectors;
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
    if (ext.worker().isEmpty() && ext.rank().isEmpty()) {
      return Optional.empty();
    }
    Worker worker = ext.worker().map(this::named).orElseGet(this::only);
    int rank = ext.rank().map(Asserted::value).orElse(0);
    if (rank < 0 || rank >= worker.ranks()) {
      String field = ext.rank().orElseThrow().field();
      throw Fault.invalid(
              field,
              "%s must be 0 to %d, a rank of worker %s, but is %d"
                  .formatted(field, worker.ranks() - 1, worker.id().name(), rank))
          .asException();
    }
    return Optional.of(new WorkerRank(worker.id(), rank));
  }

  private Worker named(Asserted<String> name) {
    return byId.values().stream()
        .filter(worker -> worker.id().name().equals(name.value()))
        .findFirst()
        .orElseThrow(() ->
            Fault.invalid(
                    name.field(),
                    "%s must be the name of a worker (%s), but is %s"
                        .formatted(name.field(), names(), Fields.shown(name.value())))
                .asException());
  }

  /** Returns the worker that a rank without a name is of. */
  private Worker only() {
    if (byId.size() > 1) {
      String field = "nvext.backend_instance_id";
      throw Fault.invalid(field, field + " is required beside a rank: there are " + names())
          .asException();
    }
    return byId.values().iterator().next();
  }

  private String names() {
    return byId.keySet().stream().map(WorkerId::name).sorted().collect(Collectors.joining(", "));
  }
}
