package dev.sojourn.router;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/** What a router has done since its start. Thread-safe. */
final class Counters {
  final AtomicLong leasesTaken = new AtomicLong();
  final AtomicLong leasesReturned = new AtomicLong();
  final AtomicInteger unbound = new AtomicInteger();
  final AtomicLong bookings = new AtomicLong();
  final AtomicLong bookingsReleased = new AtomicLong();
  final AtomicLong expired = new AtomicLong();
  final AtomicLong completed = new AtomicLong();
  final AtomicLong refused = new AtomicLong();
  final AtomicLong failed = new AtomicLong();
  final AtomicLong aborted = new AtomicLong();
  final AtomicLong hits = new AtomicLong();
  final AtomicLong moved = new AtomicLong();
  final AtomicLong broken = new AtomicLong();
  final AtomicLong homeOverloaded = new AtomicLong();

  void ended(TurnOutcome outcome) {
    switch (outcome) {
      case COMPLETED -> completed.incrementAndGet();
      case REFUSED -> refused.incrementAndGet();
      case FAILED -> failed.incrementAndGet();
      case ABORTED -> aborted.incrementAndGet();
    }
  }

  /** Counts a turn once, where it came to run in the end. */
  void accepted(Selection.Affinity affinity) {
    switch (affinity) {
      case HIT -> hits.incrementAndGet();
      case MOVED -> moved.incrementAndGet();
      case BROKEN -> broken.incrementAndGet();
      case NEW, NONE -> {}
    }
  }
}
