package dev.sojourn.backend;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sojourn.backend.Generation.Event;
import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.FinishReason;
import dev.sojourn.core.Tokens;
import dev.sojourn.core.TurnMode;
import dev.sojourn.engine.TurnEnd;
import dev.sojourn.engine.TurnStart;
import dev.sojourn.engine.sample.TopLogprobs;
import dev.sojourn.text.TokenBytes;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The way of a turn's events from the engine's thread to the reader's. */
@Timeout(20)
final class EmbeddedGenerationTest {

  /** Ids 0 to 3: "he", "llo", and the two halves of "é". */
  private static final TokenBytes SPELLING =
      new TokenBytes(
          new byte[][] {"he".getBytes(UTF_8), "llo".getBytes(UTF_8), {(byte) 0xC3}, {(byte) 0xA9}},
          new boolean[4]);

  private final CountDownLatch cancelled = new CountDownLatch(1);
  private final EmbeddedGeneration generation =
      new EmbeddedGeneration(SPELLING, cancelled::countDown);

  @Test
  void next_turnsIdsIntoVisibleTextAndCountsWhatIsSettled() throws Exception {
    generation.accepted();
    TurnStart start = new TurnStart(TurnMode.NONE, 3, 2, Map.of());
    generation.started(start);
    sample(0, 1); // "h": "e" may begin a stop string
    sample(1, 5);
    sample(2, 6);
    sample(3, 7);
    TurnEnd end = end(FinishReason.STOP, 7);
    generation.finished(end);

    generation.awaitAccepted();
    assertThat(generation.next()).isEqualTo(new Event.Started(start));
    assertThat(generation.next()).isEqualTo(token(0, "h", 0));
    assertThat(generation.next()).isEqualTo(token(1, "ello", 2));
    assertThat(generation.next()).isEqualTo(token(2, "", 3));
    assertThat(generation.next()).isEqualTo(token(3, "é", 4));
    assertThat(generation.next()).isEqualTo(new Event.Ended(end, ""));
    assertThatThrownBy(generation::next).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void next_atTheEnd_givesWhatWasHeldBackUpToTheCut() throws Exception {
    generation.accepted();
    sample(0, 0);
    sample(1, 0);
    generation.finished(end(FinishReason.STOP, 3)); // "lo" was a stop string

    generation.awaitAccepted();
    assertThat(generation.next()).isEqualTo(token(0, "", 0));
    assertThat(generation.next()).isEqualTo(token(1, "", 0));
    assertThat(generation.next())
        .isInstanceOfSatisfying(Event.Ended.class, e -> assertThat(e.text()).isEqualTo("hel"));
  }

  @Test
  void next_byAReaderThatIsSlower_givesEachTokenInItsOrder() throws Exception {
    generation.accepted();
    generation.awaitAccepted();
    int read = 0;
    for (int i = 1; i <= 400; i++) {
      sampleNumbered(i);
      if (i % 2 == 0 || i > 200) { // from half as many to as many as come: 100 wait in the end
        read++;
        assertThat(generation.next()).isEqualTo(numbered(read));
      }
    }
    while (read < 400) {
      read++;
      assertThat(generation.next()).isEqualTo(numbered(read));
    }
  }

  @Test
  void next_interruptedWithTokensToRead_throwsAndLosesNone() throws Exception {
    generation.accepted();
    sample(1, 3);
    Thread.currentThread().interrupt();
    assertThatThrownBy(generation::next).isInstanceOf(InterruptedException.class);
    assertThat(generation.next()).isEqualTo(token(1, "llo", 1));
  }

  @Test
  void next_ofATurnThatFails_givesItsTokensFirst() throws Exception {
    Fault fault = new Fault.Internal("the model failed");
    generation.accepted();
    sample(1, 3);
    generation.failed(fault);
    generation.awaitAccepted();
    assertThat(generation.next()).isEqualTo(token(1, "llo", 1));
    generation.failed(new Fault.Internal("the engine died"));
    assertThat(generation.next()).isEqualTo(new Event.Failed(fault));
  }

  @Test
  void next_byAVirtualThread_sleepsThroughNoTokenAndNoEnd() throws Exception {
    int tokens = 20_000;
    Semaphore reads = new Semaphore(0);
    CompletableFuture<Integer> settled = new CompletableFuture<>();
    Thread.ofVirtual()
        .start(() -> {
          try {
            int last = 0;
            while (generation.next() instanceof Event.Token token) {
              last = token.settled();
              reads.release();
            }
            settled.complete(last);
          } catch (InterruptedException | RuntimeException e) {
            settled.completeExceptionally(e);
          }
        });
    for (int i = 1; i <= tokens; i++) { // now the reader waits for one, now it has some to read
      sample(1, 3 * i);
      reads.acquire(i % 8 < 4 ? 1 : i % 8 == 7 ? 4 : 0);
    }
    generation.finished(end(FinishReason.LENGTH, 3 * tokens));
    assertThat(settled.get()).isEqualTo(tokens);
  }

  @Test
  void awaitAccepted_ofARefusedTurn_throwsTheRefusal() {
    Fault refusal = Fault.invalid("prompt", "too long");
    generation.failed(refusal);
    assertThatThrownBy(generation::awaitAccepted)
        .isInstanceOfSatisfying(
            FaultException.class, e -> assertThat(e.fault()).isEqualTo(refusal));
  }

  @Test
  void awaitAccepted_interrupted_cancelsAndReturnsOnlyWhenTheEngineLetGo() throws Exception {
    CompletableFuture<Boolean> sawEnd = new CompletableFuture<>();
    CountDownLatch ending = new CountDownLatch(1);
    Thread reader =
        Thread.ofVirtual()
            .start(() -> {
              try {
                generation.awaitAccepted();
                sawEnd.completeExceptionally(new AssertionError("not interrupted"));
              } catch (InterruptedException e) {
                sawEnd.complete(ending.getCount() == 0);
              }
            });
    reader.interrupt();
    cancelled.await();
    generation.accepted();
    assertThat(sawEnd).isNotDone();
    ending.countDown();
    generation.finished(end(FinishReason.CANCELLED, 0));
    assertThat(sawEnd.get()).isTrue();
  }

  /** "he" and "llo" by turns, each with its number for a log probability. */
  private void sampleNumbered(int i) {
    generation.token(i % 2, -i, TopLogprobs.NONE, i / 2 * 5 + i % 2 * 3);
  }

  private static Event.Token numbered(int i) {
    return new Event.Token(i % 2, -i, TopLogprobs.NONE, i % 2 == 0 ? "he" : "llo", i);
  }

  private void sample(int id, int visibleBytes) {
    generation.token(id, -1, TopLogprobs.NONE, visibleBytes);
  }

  private static Event.Token token(int id, String text, int settled) {
    return new Event.Token(id, -1, TopLogprobs.NONE, text, settled);
  }

  private static TurnEnd end(FinishReason reason, int visibleBytes) {
    return new TurnEnd(
        reason,
        Tokens.EMPTY,
        Tokens.EMPTY,
        0,
        visibleBytes,
        Optional.empty(),
        OptionalInt.empty(),
        0,
        0,
        0,
        0);
  }
}
