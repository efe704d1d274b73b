package dev.sojourn.engine;

import dev.sojourn.core.Incarnation;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.SessionControl.OnDivergence;
import dev.sojourn.core.SessionId;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * How a turn relates to its session.
 *
 * @param id which session
 * @param incarnation which life of it; a turn of another one is refused
 * @param input whether the turn's tokens are the whole context or follow the committed ones
 * @param expectedTip the committed length that the caller believes in
 * @param expectedDigest the digest of the committed tokens that the caller believes in
 * @param onDivergence what to do when a full prompt does not extend the committed tokens
 * @param rewindFloor how far back a full prompt may rewind: the end, in tokens, of the system
 *     message; a prompt that diverges before it, or that has a floor and meets an empty session, is
 *     served aside
 * @param restarts whether a full prompt that would be served aside starts the session anew instead
 * @param place where it goes on in a regular session, whose turns all say it; the turn's tokens
 *     follow those it goes on from, and what is said above of the committed tokens does not count
 */
public record SessionTurn(
    SessionId id,
    Incarnation incarnation,
    Input input,
    OptionalInt expectedTip,
    OptionalLong expectedDigest,
    OnDivergence onDivergence,
    int rewindFloor,
    boolean restarts,
    Optional<TreePlace> place) {

  /** Returns a turn of a regular session. */
  public static SessionTurn at(TreePlace place, SessionId id, Incarnation incarnation) {
    return new SessionTurn(
        id,
        incarnation,
        Input.DELTA,
        OptionalInt.empty(),
        OptionalLong.empty(),
        OnDivergence.REWIND,
        0,
        false,
        Optional.of(place));
  }
}
