package dev.sojourn.router.lifecycle;

import dev.sojourn.core.CloseResult;
import java.util.Optional;

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
}
