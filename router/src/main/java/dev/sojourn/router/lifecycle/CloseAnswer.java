package dev.sojourn.router.lifecycle;

import dev.sojourn.core.CloseResult;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * What is known of a close after it was first sent.
 *
 * @param result the worker's answer
 * @param pending whether there may be one later
 */
public record CloseAnswer(Optional<CloseResult> result, boolean pending) {

  /** The worker has not answered. */
  public static final CloseAnswer PENDING = new CloseAnswer(Optional.empty(), true);

  /** The worker is gone, and its sessions with it. */
  public static final CloseAnswer LOST = new CloseAnswer(Optional.empty(), false);

  /**
   * Waits for an answer, which is pending where it takes longer. An interrupt, which says that
   * nobody asks any more, is kept for later: whoever is behind the close must not overtake it.
   */
  public static CloseAnswer of(CompletableFuture<CloseAnswer> answer, Duration patience) {
    boolean interrupted = Thread.interrupted();
    try {
      while (true) {
        try {
          return answer.get(patience.toNanos(), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    } catch (TimeoutException e) {
      return PENDING;
    } catch (ExecutionException e) {
      throw new IllegalStateException("a close is never completed exceptionally", e);
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
