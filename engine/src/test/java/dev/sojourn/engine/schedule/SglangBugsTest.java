package dev.sojourn.engine.schedule;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.CloseResult;
import dev.sojourn.core.Fault;
import dev.sojourn.core.FinishReason;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionSettings;
import dev.sojourn.core.SessionView;
import dev.sojourn.core.Tokens;
import dev.sojourn.core.TurnMode;
import dev.sojourn.engine.EngineConfig;
import dev.sojourn.engine.EngineStats;
import dev.sojourn.engine.RecordedAnswer;
import dev.sojourn.engine.StopRules;
import dev.sojourn.engine.TurnRequest;
import dev.sojourn.engine.kv.PageState;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/**
 * What went wrong in SGLang's sessions and could go wrong in ours, where no other test stands for
 * it. Each names the issue.
 */
class SglangBugsTest {

  /** SGLang #20557: log probabilities from the first token on cut the key, and orphaned a slot. */
  @Test
  void logprobsOfASessionsTurns_equalStateless_andLeaveNothing() {
    Rig rig = new Rig(64);
    SessionSettings session = rig.open("agent", 1);
    for (int turn = 0; turn < 4; turn++) {
      TurnRequest request = rig.delta(session, Rig.ids(31 * turn, 21), 7);
      RecordedAnswer answer = rig.run(request);
      assertThat(answer.logprobs).hasSize(7).allMatch(logprob -> logprob <= 0);
      Rig.assertSameAsStateless(request, answer);
    }
    assertThat(rig.view(session).committed()).isEqualTo(4 * 28);
    rig.close(session, OnClose.FREE).join();
    assertNothingIsHeld(rig, 64);
  }

  /** SGLang #21875: two opens waited for one answer, which came twice. */
  @Test
  void openTwice_isOneSession_andItsCloseIsOneToo() {
    Rig rig = new Rig(64);
    SessionSettings session = rig.open("agent", 1);
    rig.scheduler.open(session);
    rig.run(rig.delta(session, Rig.ids(0, 20), 4));
    rig.scheduler.open(session);
    assertThat(rig.view(session).committed()).isEqualTo(24);
    assertThat(rig.scheduler.sessions()).hasSize(1);
    assertThat(rig.close(session, OnClose.FREE).join().existed()).isTrue();
    assertThat(rig.close(session, OnClose.FREE).join()).isEqualTo(CloseResult.UNKNOWN);
    assertNothingIsHeld(rig, 64);
  }

  /** SGLang #22273: a turn beyond the context threw away what the session held. */
  @Test
  void turnTooLongForTheContext_isRefused_andTheNextReusesEverything() {
    Rig rig = new Rig(200, 512, Rig.config(16, 256, 64));
    List<SessionSettings> sessions = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      sessions.add(rig.open("agent" + i, i));
    }
    for (int round = 0; round < 8; round++) {
      for (SessionSettings session : sessions) {
        SessionView before = rig.view(session);
        RecordedAnswer refused = rig.submit(rig.delta(session, Rig.ids(7, 600), 4));
        assertThat(refused.fault()).isInstanceOf(Fault.PromptTooLong.class);
        rig.verify();
        assertThat(rig.view(session)).isEqualTo(before);
        TurnRequest next = rig.delta(session, Rig.ids(90 * round, 30), 6);
        RecordedAnswer answer = rig.run(next);
        assertThat(answer.start().reusedTokens()).isGreaterThanOrEqualTo(before.resident());
        assertThat(rig.view(session).committed()).isEqualTo(before.committed() + 36);
        Rig.assertSameAsStateless(next, answer);
      }
    }
    sessions.forEach(session -> rig.close(session, OnClose.FREE).join());
    assertNothingIsHeld(rig, 200);
  }

  /** SGLang #22152, #22213, #22753: KV that a turn had from its session was counted twice. */
  @Test
  void check_whileATurnBorrowsASessionsPages_countsEachOnce() {
    Rig rig = new Rig(64);
    SessionSettings session = rig.open("agent", 1);
    SessionSettings idle = rig.open("idle", 2);
    rig.run(rig.delta(session, Rig.ids(0, 40), 8));
    rig.run(rig.delta(idle, Rig.ids(300, 20), 4));
    assertCounts(rig, 64 - 3 - 2, 0, 3 + 2, 0);
    TurnRequest turn = rig.delta(session, Rig.ids(9, 20), 20);
    rig.submit(turn);
    assertCounts(rig, 64 - 3 - 2, 0, 3 + 2, 0); // it waits
    rig.step();
    assertCounts(rig, 64 - 5 - 2, 0, 2, 5); // 68 tokens
    rig.scheduler.cancel(turn.requestId());
    assertCounts(rig, 64 - 4 - 2, 1, 3 + 2, 0); // of the fourth and fifth page one was full
  }

  /** SGLang #22790: an abort left a session that never was, or took more than its own. */
  @Test
  void abortOfTheFirstTurn_leavesAnEmptySession() {
    Rig rig = new Rig(64);
    SessionSettings session = rig.open("agent", 1);
    TurnRequest first = rig.delta(session, Rig.ids(0, 40), 8);
    RecordedAnswer answer = rig.submit(first);
    while (answer.ids.isEmpty()) {
      rig.step();
    }
    rig.scheduler.cancel(first.requestId());
    assertThat(rig.view(session).committed()).isZero();
    assertThat(rig.view(session).resident()).isZero();
    assertThat(rig.view(session).turns()).isZero();
    TurnRequest next = rig.delta(session, Rig.ids(0, 40), 8);
    RecordedAnswer again = rig.run(next);
    assertThat(again.start().mode()).isEqualTo(TurnMode.OPENED);
    assertThat(again.start().reusedTokens()).isEqualTo(32); // its pages are cache
    Rig.assertSameAsStateless(next, again);
  }

  /** SGLang #22790. */
  @Test
  void turnRefusedBeforeItBegan_leavesTheSessionUntouched() {
    Rig rig = new Rig(64);
    SessionSettings session = rig.open("agent", 1);
    rig.run(rig.delta(session, Rig.ids(0, 40), 8));
    SessionView before = rig.view(session);
    assertThat(rig.submit(rig.delta(session, Tokens.of(1, 99), 1)).hasFailed()).isTrue();
    assertThat(rig.submit(rig.delta(session, Rig.ids(0, 5000), 1)).hasFailed()).isTrue();
    TurnRequest running = rig.delta(session, Rig.ids(0, 4), 4);
    RecordedAnswer answer = rig.submit(running);
    assertThat(rig.submit(running).hasFailed()).isTrue(); // the same id twice
    rig.drain();
    Rig.assertSameAsStateless(running, answer);
    assertThat(answer.end().committed()).isEqualTo(before.committed() + 8);
  }

  /** SGLang #27025: a bound on what sessions hold must bind nobody. */
  @Test
  void budgetOfNothingOrAll_sessionsStillAnswer() {
    EngineConfig defaults = EngineConfig.defaults();
    for (double fraction : new double[] {0, 1}) {
      EngineConfig config =
          new EngineConfig(4, 64, 16, 16, 16, fraction, defaults.eviction(), defaults.retention());
      Rig rig = new Rig(12, config);
      for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 4; i++) {
          SessionSettings session = Rig.settings("agent" + i, i);
          rig.scheduler.open(session);
          TurnRequest turn = rig.delta(session, Rig.ids(40 * i + round, 25), 10);
          Rig.assertSameAsStateless(turn, rig.run(turn));
        }
        TurnRequest stranger = rig.stateless(Rig.ids(900 + round, 150), 8);
        Rig.assertSameAsStateless(stranger, rig.run(stranger));
      }
    }
  }

  /** SGLang #40252: a turn that was retracted moved the session's checkpoint. */
  @Test
  void turnRetractedAndThenCancelled_leavesTheSessionAtItsLastCommit() {
    Rig rig = new Rig(9, Rig.config(4, 64, 1));
    SessionSettings session = rig.open("agent", 1);
    rig.run(rig.delta(session, Rig.ids(0, 20), 4));
    TurnRequest request = retracted(rig, session);
    long digest = rig.view(session).digest();
    rig.scheduler.cancel(request.requestId());
    rig.verify();
    assertThat(rig.view(session).committed()).isEqualTo(24);
    assertThat(rig.view(session).digest()).isEqualTo(digest);
    rig.drain();
    TurnRequest next = rig.delta(session, Rig.ids(5, 6), 6);
    Rig.assertSameAsStateless(next, rig.run(next));
  }

  /** SGLang #40252: and a session could not be closed any more. */
  @Test
  void turnRetractedAndItsSessionClosed_endsTheSession() {
    for (boolean cancel : new boolean[] {false, true}) {
      Rig rig = new Rig(9, Rig.config(4, 64, 1));
      SessionSettings session = rig.open("agent", 1);
      rig.run(rig.delta(session, Rig.ids(0, 20), 4));
      TurnRequest request = retracted(rig, session);
      CompletableFuture<CloseResult> closed = rig.close(session, OnClose.FREE);
      assertThat(closed).isNotDone();
      if (cancel) {
        rig.scheduler.cancel(request.requestId());
        assertThat(closed).isDone();
      }
      rig.drain();
      assertThat(closed.join().existed()).isTrue();
      assertNothingIsHeld(rig, 9);
    }
  }

  /** SGLang #22393: a turn that begins again at an earlier one. */
  @Test
  void rewoundFiveTimes_leavesNothingBehind() {
    Rig rig = new Rig(64);
    SessionSettings session = rig.open("agent", 1);
    rig.run(rig.full(session, Rig.ids(0, 40), 8));
    Tokens first = rig.scheduler.committed(session.id());
    for (int again = 0; again < 5; again++) {
      TurnRequest turn = rig.full(session, first.concat(Rig.ids(70 * again, 20)), 9);
      RecordedAnswer answer = rig.run(turn);
      assertThat(answer.start().mode()).isEqualTo(again == 0 ? TurnMode.APPEND : TurnMode.REWIND);
      Rig.assertSameAsStateless(turn, answer);
      assertThat(rig.view(session).committed()).isEqualTo(77);
      assertThat(rig.scheduler.stats().leased()).isEqualTo(5);
    }
    rig.close(session, OnClose.FREE).join();
    assertThat(rig.scheduler.stats().free()).isEqualTo(64);
  }

  /** SGLang #22790, and the third turn of its numbers: 71 of 72 tokens have their KV. */
  @Test
  void turnThreeAborted_keeps71() {
    Rig rig = new Rig(64);
    SessionSettings session = rig.open("agent", 1);
    rig.run(rig.delta(session, Rig.ids(0, 40), 8));
    rig.run(rig.delta(session, Rig.ids(7, 16), 8));
    TurnRequest third = rig.delta(session, Rig.ids(3, 30), 20);
    RecordedAnswer answer = rig.submit(third);
    while (answer.ids.size() < 3) {
      rig.step();
    }
    rig.scheduler.cancel(third.requestId());
    assertThat(answer.end().reason()).isEqualTo(FinishReason.CANCELLED);
    assertThat(rig.view(session).committed()).isEqualTo(72);
    assertThat(rig.view(session).resident()).isGreaterThanOrEqualTo(71);
    RecordedAnswer fourth = rig.run(rig.delta(session, Rig.ids(11, 9), 2));
    assertThat(fourth.start().promptTokens()).isEqualTo(81);
    assertThat(fourth.start().reusedTokens()).isGreaterThanOrEqualTo(71);
  }

  /**
   * As {@link #turnThreeAborted_keeps71}, where it is retracted: it goes on with the same input.
   */
  @Test
  void turnThreeRetracted_keeps71() {
    Rig rig = new Rig(9, Rig.config(4, 64, 1));
    SessionSettings session = rig.open("agent", 1);
    rig.run(rig.delta(session, Rig.ids(0, 40), 8));
    rig.run(rig.delta(session, Rig.ids(7, 16), 8));
    TurnRequest elder = rig.stateless(Rig.ids(300, 20), 40);
    RecordedAnswer elderAnswer = rig.submit(elder);
    rig.step();
    TurnRequest third = rig.delta(session, Rig.ids(3, 15), 40);
    RecordedAnswer answer = rig.submit(third);
    while (rig.scheduler.stats().retractions() == 0) {
      rig.step();
    }
    assertThat(rig.view(session).committed()).isEqualTo(72);
    assertThat(rig.view(session).resident()).isGreaterThanOrEqualTo(71);
    rig.drain();
    assertThat(answer.end().prompt().length()).isEqualTo(87);
    Rig.assertSameAsStateless(third, answer);
    Rig.assertSameAsStateless(elder, elderAnswer);
  }

  /** SGLang #22862 with a rewind: the seam page has another reader. */
  @Test
  void rewind_whileAnotherReadsThePage_copiesIt() {
    for (int at = 33; at < 48; at++) {
      Rig rig = new Rig(64);
      SessionSettings session = rig.open("agent", 1);
      rig.run(rig.delta(session, Rig.ids(3, 20), 4));
      rig.run(rig.delta(session, Rig.ids(60, 40), 6));
      Tokens committed = rig.scheduler.committed(session.id());
      TurnRequest same = rig.stateless(committed.concat(Rig.ids(1, 3)), 30);
      RecordedAnswer reading = rig.submit(same);
      rig.step();
      assertThat(reading.start().reusedTokens()).isEqualTo(64);
      Tokens other = Tokens.of((committed.get(at) + 1) % 22);
      TurnRequest rewound =
          rig.request(
              Optional.of(Rig.turn(session, Input.FULL, 0)),
              committed.slice(0, at).concat(other).concat(Rig.ids(80, 9)),
              8,
              StopRules.NONE);
      RecordedAnswer answer = rig.run(rewound);
      assertThat(answer.start().mode()).isEqualTo(TurnMode.REWIND);
      assertThat(answer.start().reusedTokens()).isEqualTo(at);
      rig.drain();
      Rig.assertSameAsStateless(rewound, answer);
      Rig.assertSameAsStateless(same, reading);
    }
  }

  /** SGLang #22862, where there is no page to copy the seam to. */
  @Test
  void seamPage_withoutAPageToCopyTo_isForgotten_andTheNextTurnComputesItAgain() {
    Rig rig = new Rig(12, Rig.config(4, 256, 1));
    SessionSettings session = rig.open("agent", 1);
    rig.run(rig.delta(session, Rig.ids(3, 20), 1));
    TurnRequest elder = rig.stateless(Rig.ids(400, 10 * 16 - 8), 100);
    rig.submit(elder); // takes ten pages
    rig.step();
    TurnRequest request = rig.delta(session, Rig.ids(50, 11), 20);
    rig.submit(request); // fills the second of its two pages, and publishes it
    rig.step();
    assertThat(rig.scheduler.stats().free()).isZero();
    rig.step(); // now it needs a third
    assertThat(rig.scheduler.stats().retractions()).isEqualTo(1);
    assertThat(rig.view(session).committed()).isEqualTo(21);
    assertThat(rig.view(session).resident()).isEqualTo(16);
    rig.scheduler.cancel(request.requestId());
    rig.scheduler.cancel(elder.requestId());
    TurnRequest next = rig.delta(session, Rig.ids(90, 5), 12);
    RecordedAnswer answer = rig.run(next);
    assertThat(answer.start().reusedTokens()).isGreaterThanOrEqualTo(16);
    Rig.assertSameAsStateless(next, answer);
  }

  private static TurnRequest retracted(Rig rig, SessionSettings session) {
    RecordedAnswer elder = rig.submit(rig.stateless(Rig.ids(3, 30), 60));
    TurnRequest request = rig.delta(session, Rig.ids(9, 9), 60);
    RecordedAnswer answer = rig.submit(request);
    while (rig.scheduler.stats().retractions() == 0) {
      rig.step();
    }
    assertThat(answer.isOver() || elder.isOver()).isFalse();
    assertThat(answer.ids).isNotEmpty();
    return request;
  }

  private static void assertCounts(Rig rig, int free, int cached, int leased, int inUse) {
    rig.verify();
    assertThat(rig.scheduler.pool().count(PageState.FREE)).as("free").isEqualTo(free);
    assertThat(rig.scheduler.pool().count(PageState.CACHED)).as("cached").isEqualTo(cached);
    assertThat(rig.scheduler.pool().count(PageState.LEASED)).as("leased").isEqualTo(leased);
    assertThat(rig.scheduler.pool().count(PageState.IN_USE)).as("in use").isEqualTo(inUse);
  }

  private static void assertNothingIsHeld(Rig rig, int pages) {
    rig.verify();
    EngineStats stats = rig.scheduler.stats();
    assertThat(stats.free() + stats.cached()).isEqualTo(pages);
    assertThat(stats.sessions() + stats.running() + stats.waiting()).isZero();
  }
}
