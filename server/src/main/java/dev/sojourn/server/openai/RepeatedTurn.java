package dev.sojourn.server.openai;

import dev.sojourn.backend.Generation.Event;
import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.Tokens;
import dev.sojourn.server.prompt.Answer;
import dev.sojourn.server.prompt.JsonSize;
import dev.sojourn.server.prompt.LastTurn;
import dev.sojourn.server.prompt.Prompt;
import dev.sojourn.server.prompt.Transcript;
import dev.sojourn.text.answer.Part;
import java.util.List;
import java.util.Optional;

/**
 * A delta turn that was committed already and is sent once more, as SDKs do where an answer did not
 * arrive: it gets the answer of then, from memory. It is known by the tip that it expects, which is
 * the one before the last turn, and by asking the same.
 */
final class RepeatedTurn {

  // What a turn takes in memory, about: a token's text in the question, one with alternatives.
  private static final int BYTES = 512;
  private static final int BYTES_PER_TOKEN = 16;
  private static final int BYTES_PER_LOGPROB = 64;

  private RepeatedTurn() {}

  /** Returns what the turn was answered when it was sent before; empty if it is a new one. */
  static Optional<TurnResult> find(TurnSpec spec, Optional<Transcript> transcript) {
    Optional<LastTurn> last = transcript.flatMap(Transcript::lastTurn);
    if (last.isEmpty() || spec.input() != Input.DELTA) {
      return Optional.empty();
    }
    SessionControl asked = spec.ext().control().orElseThrow();
    LastTurn before = last.get();
    boolean expected =
        asked.expectedTip().isPresent()
            && asked.expectedTip().getAsInt() == before.tipBefore()
            && asked.expectedDigest().orElse(before.digestBefore()) == before.digestBefore();
    boolean same =
        before.question() instanceof Question question && spec.question().repeats(question);
    return expected && same && before.answer() instanceof TurnResult result
        ? Optional.of(result.again(spec))
        : Optional.empty();
  }

  /** Keeps the answer of a delta turn, in case that it is sent once more. */
  static void keep(
      Transcript transcript, int tipBefore, long digestBefore, Prompt prompt, TurnResult result) {
    Answer answer = result.answer();
    Tokens completion = result.end().completion();
    long said = JsonSize.of(result.spec().question().said()) + JsonSize.of(answer.message());
    int alternatives = 1 + result.spec().options().topLogprobs();
    long bytes =
        BYTES
            + (long) BYTES_PER_TOKEN * (prompt.fresh().length() + completion.length())
            + 4L * result.end().prompt().length()
            + said
            + (long) BYTES_PER_LOGPROB * alternatives * result.tokens().size();
    transcript.keep(new LastTurn(tipBefore, digestBefore, result.spec().question(), result, bytes));
  }

  /** Tells an answer of before to somebody who listens now. */
  static void tell(TurnResult result, TurnListener listener) throws InterruptedException {
    listener.started(result.spec(), result.selection(), result.start());
    Answer answer = result.answer();
    boolean plain = answer.reasoning().isEmpty() && answer.calls().isEmpty();
    int told = 0;
    for (Event.Token token : result.tokens()) {
      boolean shows =
          plain && !token.text().isEmpty() && answer.text().startsWith(token.text(), told);
      listener.parts(shows ? List.of(new Part.Text(token.text())) : List.of(), token);
      told += shows ? token.text().length() : 0;
    }
    List<Part> rest =
        plain ? List.of(new Part.Text(answer.text().substring(told))) : answer.parts();
    listener.ended(rest, new Event.Ended(result.end(), ""));
  }
}
