package dev.sojourn.core;

import static java.util.Objects.requireNonNull;

/**
 * One place where KV lives: a rank of a worker. Rank 0 is a rank, never "unset".
 *
 * @param worker the worker
 * @param rank its data-parallel rank, from 0
 */
public record WorkerRank(WorkerId worker, int rank) implements Comparable<WorkerRank> {

  public WorkerRank {
    requireNonNull(worker, "worker");
    if (rank < 0) {
      throw new IllegalArgumentException("a rank is at least 0, not " + rank);
    }
  }

  @Override
  public int compareTo(WorkerRank other) {
    int byWorker = worker.name().compareTo(other.worker.name());
    return byWorker != 0 ? byWorker : Integer.compare(rank, other.rank);
  }

  @Override
  public String toString() {
    return worker.name() + "/" + rank;
  }
}
