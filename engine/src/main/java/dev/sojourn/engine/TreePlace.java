package dev.sojourn.engine;

import java.util.Optional;

/**
 * Where a turn of a regular session goes on from: SGLang's {@code session_params}.
 *
 * @param base the request id of the turn that it goes on from; empty for one that begins anew
 * @param replace whether it takes the place of all that follows {@code base}, or of all turns
 * @param dropPreviousOutput whether it goes on from where the prompt of {@code base} ended
 * @param offset cuts the tokens that it goes on from, unless 0: to so many, or, below 0, by so many
 */
public record TreePlace(
    Optional<String> base, boolean replace, boolean dropPreviousOutput, int offset) {

  /** Returns how much a turn starts with of one whose prompt and whole have these lengths. */
  public int cut(int prompt, int whole) {
    int length = dropPreviousOutput ? prompt : whole;
    return offset == 0
        ? length
        : offset > 0 ? Math.min(offset, length) : Math.max(0, length + offset);
  }
}
