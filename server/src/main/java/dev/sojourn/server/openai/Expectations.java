package dev.sojourn.server.openai;

import dev.sojourn.core.Counted;
import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.SessionControl.Require;
import dev.sojourn.router.Selection;
import dev.sojourn.router.Selection.Affinity;
import dev.sojourn.server.prompt.Divergence;
import dev.sojourn.server.prompt.Prompt;
import dev.sojourn.server.prompt.Transcript;
import java.util.Map;
import java.util.Optional;

/**
 * What a turn expects that its session holds, and what it is told where that is wrong: in the
 * fields of the request, whoever has found out.
 */
final class Expectations {

  private static final String FIELD = "nvext.session_control.";

  private Expectations() {}

  /** Returns whether a session is where the request says, if it says where. */
  static boolean hold(SessionControl control, Optional<Transcript> transcript) {
    return hold(control, tip(transcript), digest(transcript));
  }

  private static boolean hold(SessionControl control, int tip, String digest) {
    return control.expectedTip().orElse(tip) == tip
        && (control.expectedDigest().isEmpty()
            || Metadata.digest(control.expectedDigest().getAsLong()).equals(digest));
  }

  /**
   * Refuses a turn whose session is elsewhere.
   *
   * @param parent the session that it is started from, and which the transcript is of
   * @param path of the fields that say what is expected
   * @throws FaultException {@code tip_mismatch}
   */
  static void check(
      SessionControl control,
      Optional<Transcript> transcript,
      Optional<String> parent,
      String path) {
    if (!hold(control, transcript)) {
      String whose = parent.map(name -> "parent session " + name).orElse("the session");
      throw mismatch(control, tip(transcript), digest(transcript), whose, path);
    }
  }

  /** Returns what a worker refused a turn with, in the words of the request. */
  static FaultException told(FaultException refusal, TurnSpec spec, Prompt prompt) {
    if (!(refusal.fault() instanceof Fault.Conflict conflict) || spec.ext().control().isEmpty()) {
      return refusal;
    }
    SessionControl control = spec.ext().control().get();
    Map<String, Object> found = conflict.observed();
    if (conflict.code().equals("tip_mismatch")
        && found.get("tip") instanceof Integer tip
        && found.get("digest") instanceof String digest
        && !hold(control, tip, digest)) {
      return mismatch(control, tip, digest, "the session", FIELD);
    }
    if (conflict.code().equals("diverged") && prompt.divergence().isPresent()) {
      Divergence at = prompt.divergence().get();
      String message =
          "the prompt does not go on from what session %s holds: %s (token %d is the first that differs)"
              .formatted(control.session().name(), at.cause(), at.token());
      return new Fault.Conflict(
              conflict.code(), message, found, Optional.of(FIELD + "on_divergence"))
          .asException();
    }
    return refusal;
  }

  private static FaultException mismatch(
      SessionControl control, int tip, String digest, String whose, String path) {
    boolean length = control.expectedTip().orElse(tip) != tip;
    String field = path + (length ? "expected_tip" : "expected_digest");
    String message =
        length
            ? "%s holds %s, but %s is %d"
                .formatted(
                    whose, new Counted(tip, "token"), field, control.expectedTip().getAsInt())
            : "the digest of what %s holds is %s, but %s is %s"
                .formatted(
                    whose, digest, field, Metadata.digest(control.expectedDigest().orElseThrow()));
    return new Fault.Conflict(
            "tip_mismatch", message, Map.of("tip", tip, "digest", digest), Optional.of(field))
        .asException();
  }

  private static int tip(Optional<Transcript> transcript) {
    return transcript.map(Transcript::committed).orElse(0);
  }

  private static String digest(Optional<Transcript> transcript) {
    return Metadata.digest(transcript.map(Transcript::digest).orElse(0L));
  }

  /** Refuses a turn that its session cannot serve as it was promised where it was placed. */
  static void checkPromise(SessionControl control, Selection selection) {
    if (selection.incarnation().isPresent()) {
      return;
    }
    if (control.require() == Require.ENGINE) {
      throw Fault.invalid(
              "nvext.session_control.require",
              "the turn would run without an engine session; open one with action open")
          .asException();
    }
    // A last turn opens nothing where its session's rank is gone: what was said before is sent
    // along.
    boolean last = control.action() == Action.CLOSE && selection.affinity() == Affinity.BROKEN;
    if (control.input() == Input.DELTA && !last) {
      throw Fault.invalid(
              "nvext.session_control.input",
              "a delta needs an engine session, and this turn has none: send the whole"
                  + " conversation")
          .asException();
    }
  }
}
