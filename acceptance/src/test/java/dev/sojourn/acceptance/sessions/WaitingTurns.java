package dev.sojourn.acceptance.sessions;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.acceptance.sessions.Flight.Asked;
import dev.sojourn.core.FaultException;
import dev.sojourn.engine.TreePlace;
import dev.sojourn.router.TurnGuard;
import dev.sojourn.router.TurnIntent;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The turns of a {@link SteppedGateway} that wait in their sessions' lines, each on a thread of its
 * own. None of them may run beside another, so it is known when the time of each comes. Used by one
 * thread.
 */
final class WaitingTurns {

  private record Waiting(
      Asked asked, @Nullable TreePlace place, Thread thread, CompletableFuture<TurnGuard> guard) {}

  /** Begins a turn, and may wait for its time to come. */
  @FunctionalInterface
  interface Beginning {
    TurnGuard begin(TurnIntent intent) throws InterruptedException;
  }

  private final SteppedGateway gateway;
  private final List<Waiting> waiting = new ArrayList<>(); // first come first

  WaitingTurns(SteppedGateway gateway) {
    this.gateway = gateway;
  }

  /** Begins a turn, and returns when it waits, has begun or was refused. */
  void begin(Asked asked, @Nullable TreePlace place, TurnIntent intent, Beginning beginning) {
    takeOver(); // or one whose time has come might stop waiting while this one begins to
    int before = gateway.router.stats().waiting();
    CompletableFuture<TurnGuard> guard = new CompletableFuture<>();
    Thread thread =
        Thread.ofVirtual()
            .start(() -> {
              try {
                guard.complete(beginning.begin(intent));
              } catch (InterruptedException | RuntimeException e) {
                guard.completeExceptionally(e);
              }
            });
    long giveUp = System.nanoTime() + Duration.ofSeconds(60).toNanos();
    while (gateway.router.stats().waiting() == before && !guard.isDone()) {
      assertThat(System.nanoTime()).as("a turn neither waits nor begins").isLessThan(giveUp);
      Thread.onSpinWait();
    }
    gateway.see("waited");
    waiting.add(new Waiting(asked, place, thread, guard));
  }

  /** The client of one of them hangs up. */
  void interrupt(int nth) throws InterruptedException {
    if (!waiting.isEmpty()) {
      Thread victim = waiting.get(nth % waiting.size()).thread();
      victim.interrupt();
      victim.join();
      gateway.see("interrupted");
    }
  }

  /** Waits until all of them wait no more. */
  void join() throws InterruptedException {
    for (Waiting turn : waiting) {
      turn.thread().join();
    }
  }

  /** Lets those begin whose time has come. */
  void takeOver() {
    waiting.removeIf(turn -> turn.guard().isCompletedExceptionally());
    for (Waiting turn : List.copyOf(waiting)) {
      if (!gateway.isOccupied(turn.asked().name())) {
        waiting.remove(turn);
        try {
          TurnGuard guard = turn.guard().orTimeout(60, TimeUnit.SECONDS).join();
          gateway.flights.add(new Flight(turn.asked(), turn.place(), true, guard));
        } catch (CompletionException e) {
          assertThat(e).hasCauseInstanceOf(FaultException.class);
        }
      }
    }
  }

  int count() {
    return waiting.size();
  }
}
