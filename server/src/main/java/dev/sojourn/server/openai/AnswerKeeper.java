package dev.sojourn.server.openai;

import static java.util.Objects.requireNonNull;

import dev.sojourn.core.Clock;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.Promise;
import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.TurnMode;
import dev.sojourn.router.BindingView;
import dev.sojourn.router.Router;
import dev.sojourn.router.TurnGuard;
import dev.sojourn.server.metrics.GatewayMetrics;
import dev.sojourn.server.prompt.Prompt;
import dev.sojourn.server.prompt.Transcript;
import dev.sojourn.server.prompt.Transcripts;
import dev.sojourn.server.sessions.Ledger;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Reads answers to their end and keeps what is left of them: the transcript of their session, its
 * account, and what metrics count. Thread-safe; a session's turns come one after the other, but for
 * those of a tree, which have no transcript.
 */
final class AnswerKeeper {

  private final Router router;
  private final Workers workers;
  private final Transcripts transcripts;
  private final Ledger ledger;
  private final GatewayMetrics metrics;
  private final Clock clock;

  AnswerKeeper(
      Router router,
      Workers workers,
      Transcripts transcripts,
      Ledger ledger,
      GatewayMetrics metrics,
      Clock clock) {
    this.router = router;
    this.workers = workers;
    this.transcripts = transcripts;
    this.ledger = ledger;
    this.metrics = metrics;
    this.clock = clock;
  }

  /** Reads an answer to its end, and commits it though nobody may be left to hear it. */
  TurnResult read(
      TurnSpec spec, TurnGuard guard, Dispatched dispatched, TurnListener listener, long begun)
      throws InterruptedException {
    Optional<SessionControl> control = spec.ext().control();
    Dispatch.Sent sent = dispatched.sent();
    move(control, guard.incarnation(), sent.selection().incarnation());
    Prompt prompt = dispatched.prompt();
    TurnReader reader = new TurnReader(spec, prompt, sent.selection(), guard, listener, metrics);
    Promise promise = workers.at(sent.selection().target()).promise();
    Optional<Incarnation> life = sent.selection().incarnation().or(guard::incarnation);
    boolean inEngine = sent.selection().incarnation().isPresent();
    Losses.Before before = Losses.before(control, guard, life, inEngine, ledger);
    @Nullable TurnResult result = null;
    try {
      reader.read(sent.generation(), begun, clock);
    } finally {
      if (reader.committed()) {
        TurnMode mode = reader.mode(prompt);
        var losses = Losses.of(reader.start(), mode, prompt, before);
        TurnResult done = reader.result(guard.reason(), promise, prompt, losses);
        result = done;
        if (inEngine && mode != TurnMode.ASIDE && dispatched.transcript().isPresent()) {
          guard.committed(done.end().committed(), done.end().digest());
        }
        dispatched.transcript().ifPresent(held -> commit(held, prompt, done));
        life.ifPresent(lived -> ledger.add(control.orElseThrow().session(), lived, done.entry()));
        metrics.turn(done.start().mode(), done.losses());
      }
      life.ifPresent(lived -> forgetOrphan(control.orElseThrow().session(), lived));
    }
    return requireNonNull(result, "a turn that was read to its end has a result");
  }

  /**
   * Takes transcript and account along to the life that the session goes on with, before anybody
   * can find that life bound.
   */
  private void move(
      Optional<SessionControl> control, Optional<Incarnation> from, Optional<Incarnation> to) {
    if (from.isPresent() && to.isPresent() && !from.equals(to)) {
      SessionId session = control.orElseThrow().session();
      transcripts.move(session, from.get(), to.get());
      ledger.move(session, from.get(), to.get());
    }
  }

  /** Forgets what is kept of a life that another gateway did not let the session have. */
  private void forgetOrphan(SessionId session, Incarnation life) {
    if (!router.binding(session).map(BindingView::incarnation).equals(Optional.of(life))) {
      transcripts.remove(session, life);
      ledger.end(session, life);
    }
  }

  /**
   * Moves the transcript to where the engine's session is now, or would be: a session by affinity
   * alone keeps the ids it sampled as well. A side request moves nothing.
   */
  private static void commit(Transcript transcript, Prompt prompt, TurnResult result) {
    if (result.start().mode() == TurnMode.ASIDE) {
      transcript.servedAside(prompt, result.answer().message());
      return;
    }
    int tip = transcript.committed();
    long digest = transcript.digest();
    if (result.selection().incarnation().isPresent()) {
      transcript.commit(prompt, result.start().mode(), result.end(), result.answer().message());
    } else {
      transcript.commitUnheld(prompt, result.end(), result.answer().message());
    }
    boolean committed = transcript.committed() != tip || transcript.digest() != digest;
    if (result.spec().input() == Input.DELTA && committed) {
      RepeatedTurn.keep(transcript, tip, digest, prompt, result);
    }
  }
}
