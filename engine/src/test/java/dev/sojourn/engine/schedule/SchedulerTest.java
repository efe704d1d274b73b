package dev.sojourn.engine.schedule;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.stream.Collectors.joining;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sojourn.core.AgentHints;
import dev.sojourn.core.CloseResult;
import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.FinishReason;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.LossCause;
import dev.sojourn.core.Namespace;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionControl.OnDivergence;
import dev.sojourn.core.SessionSettings;
import dev.sojourn.core.SessionTokens;
import dev.sojourn.core.Tenant;
import dev.sojourn.core.Tokens;
import dev.sojourn.core.TurnMode;
import dev.sojourn.engine.EngineConfig;
import dev.sojourn.engine.EngineStats;
import dev.sojourn.engine.EvictionPolicy;
import dev.sojourn.engine.RecordedAnswer;
import dev.sojourn.engine.SessionTurn;
import dev.sojourn.engine.StopRules;
import dev.sojourn.engine.TurnRequest;
import dev.sojourn.engine.TurnStart;
import dev.sojourn.engine.sample.SamplingParameters;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

class SchedulerTest {

  /** The numbers of a streaming session, turn by turn, as SGLang's rules give them. */
  @Test
  void turnsOfASession_deltaByDelta_reuseAllButTheLastToken() {
    Rig rig = new Rig(64);
    SessionSettings session = rig.open("agent", 1);

    TurnRequest first = rig.delta(session, Rig.ids(0, 40), 8);
    RecordedAnswer answer = rig.run(first);
    assertThat(answer.start().mode()).isEqualTo(TurnMode.OPENED);
    assertThat(answer.start().reusedTokens()).isZero();
    assertThat(answer.end().reason()).isEqualTo(FinishReason.LENGTH);
    assertThat(rig.view(session).committed()).isEqualTo(48);
    assertThat(rig.view(session).resident()).isEqualTo(47);
    Rig.assertSameAsStateless(first, answer);

    TurnRequest second = rig.delta(session, Rig.ids(7, 16), 8);
    answer = rig.run(second);
    assertThat(answer.start().mode()).isEqualTo(TurnMode.APPEND);
    assertThat(answer.start().reusedTokens()).isEqualTo(47);
    assertThat(answer.start().promptTokens()).isEqualTo(64);
    assertThat(rig.view(session).committed()).isEqualTo(72);
    assertThat(rig.view(session).resident()).isEqualTo(71);
    Rig.assertSameAsStateless(second, answer);

    // A second session with the same first prompt shares its full pages and nothing else.
    SessionSettings twin = rig.open("twin", 2);
    assertThat(rig.run(rig.delta(twin, Rig.ids(0, 40), 8)).start().reusedTokens()).isEqualTo(32);
    assertThat(rig.close(twin, OnClose.FREE)).isCompleted();
    rig.verify();

    // The two pages that the twin matched stay as cache.
    CloseResult closed = rig.close(session, OnClose.FREE).join();
    assertThat(closed.existed()).isTrue();
    assertThat(rig.scheduler.stats().leased()).isZero();
    assertThat(closed.tokensFreed()).isEqualTo(71 - 16 * rig.scheduler.stats().cached());
  }

  @Test
  void fullPrompts_thatExtendWhatIsCommitted_reuseAsMuchAsDeltas() {
    Rig rig = new Rig(64);
    SessionSettings session = rig.open("agent", 1);
    rig.run(rig.full(session, Rig.ids(0, 40), 8));
    Tokens whole = rig.scheduler.committed(session.id());
    TurnRequest second = rig.full(session, whole.concat(Rig.ids(7, 16)), 8);
    RecordedAnswer answer = rig.run(second);
    assertThat(answer.start().mode()).isEqualTo(TurnMode.APPEND);
    assertThat(answer.start().reusedTokens()).isEqualTo(47);
    Rig.assertSameAsStateless(second, answer);
  }

  @Test
  void delta_fromAnotherTip_isAConflictThatNamesTheObservedOne() {
    Rig rig = new Rig(64);
    SessionSettings session = rig.open("agent", 1);
    rig.run(rig.delta(session, Rig.ids(0, 40), 8));
    long digest = rig.view(session).digest();
    Map<String, Object> observed = Map.of("tip", 48, "digest", String.format("%016x", digest));
    for (SessionTurn wrong :
        List.of(
            at(session, OptionalInt.of(47), OptionalLong.empty()),
            at(session, OptionalInt.of(48), OptionalLong.of(digest + 1)))) {
      assertThat(
              rig.submit(rig.request(Optional.of(wrong), Rig.ids(3, 4), 2, StopRules.NONE)).fault())
          .isInstanceOfSatisfying(
              Fault.Conflict.class,
              conflict -> {
                assertThat(conflict.code()).isEqualTo("tip_mismatch");
                assertThat(conflict.observed()).isEqualTo(observed);
              });
    }
    SessionTurn right = at(session, OptionalInt.of(48), OptionalLong.of(digest));
    RecordedAnswer answer =
        rig.run(rig.request(Optional.of(right), Rig.ids(3, 4), 2, StopRules.NONE));
    assertThat(answer.end().committed()).isEqualTo(54);
  }

  @Test
  void close_idle_freesWhatTheSessionHeldAlone() {
    Rig rig = new Rig(64);
    SessionSettings session = rig.open("agent", 1);
    rig.run(rig.delta(session, Rig.ids(0, 40), 8));
    rig.run(rig.delta(session, Rig.ids(7, 16), 8));
    assertThat(rig.close(session, OnClose.FREE).join()).isEqualTo(new CloseResult(true, 71));
    assertThat(rig.scheduler.stats().free()).isEqualTo(64);
    assertThat(rig.close(session, OnClose.FREE).join()).isEqualTo(CloseResult.UNKNOWN);
  }

  /** A router compares the two, and a step may take longer than it looks. */
  @Test
  void published_whileTheModelComputes_countsThePagesThatTheEventsLeft() {
    Rig rig = new Rig(4);
    rig.run(rig.stateless(Rig.ids(0, 60), 2));
    long before = rig.scheduler.stats().publishedPages();
    List<Integer> counted = new ArrayList<>();
    rig.runner.setReadOnly(page -> {
      counted.add(rig.scheduler.published().publishedPages());
      assertThat(counted.getLast()).isEqualTo(rig.scheduler.pool().published());
      return rig.scheduler.pool().isPublished(page);
    });
    rig.run(rig.stateless(Rig.ids(3, 40), 2));
    assertThat(counted).isNotEmpty().anyMatch(pages -> pages < before);
  }

  @Test
  void close_retain_leavesFullPagesAsCache() {
    Rig rig = new Rig(64);
    SessionSettings session = rig.open("agent", 1);
    rig.run(rig.delta(session, Rig.ids(0, 40), 8));
    assertThat(rig.close(session, OnClose.RETAIN).join()).isEqualTo(new CloseResult(true, 15));
    assertThat(rig.scheduler.stats().cached()).isEqualTo(2);
    assertThat(rig.scheduler.stats().free()).isEqualTo(62);
  }

  /** SGLang #21875, #28140: a close or the reaper while a turn decodes corrupted its KV. */
  @Test
  void close_whileATurnRuns_takesEffectWhenItEnds() {
    Rig rig = new Rig(64);
    SessionSettings session = rig.open("agent", 1);
    TurnRequest request = rig.delta(session, Rig.ids(0, 40), 20);
    RecordedAnswer answer = rig.submit(request);
    rig.step();
    CompletableFuture<CloseResult> first = rig.close(session, OnClose.FREE);
    CompletableFuture<CloseResult> again = rig.close(session, OnClose.FREE);
    assertThat(first).isNotDone();
    RecordedAnswer late = rig.submit(rig.delta(session, Rig.ids(0, 4), 2));
    assertThat(late.fault()).isInstanceOf(Fault.NotFound.class);

    // The name lives again at once.
    SessionSettings reborn = rig.open("agent", 2);
    assertThat(rig.scheduler.sessions()).hasSize(2);
    rig.drain();
    Rig.assertSameAsStateless(request, answer);
    assertThat(answer.end().committed()).isEqualTo(60);
    assertThat(first.join()).isEqualTo(new CloseResult(true, 59));
    assertThat(again.join()).isEqualTo(first.join());
    assertThat(rig.scheduler.sessions()).hasSize(1);
    assertThat(rig.view(reborn).committed()).isZero();
  }

  @Test
  void idleTime_countsFromTheEndOfTheLastTurn_andNeverWhileOneRuns() {
    Rig rig = new Rig(64);
    SessionSettings session = rig.open("agent", 1);
    RecordedAnswer answer = rig.submit(rig.delta(session, Rig.ids(0, 40), 20));
    rig.step();
    rig.clock.advance(Duration.ofHours(1));
    rig.step();
    assertThat(answer.isOver()).isFalse();
    rig.drain();
    rig.clock.advance(session.timeout().minusNanos(1));
    rig.step();
    assertThat(rig.scheduler.sessions()).hasSize(1);
    rig.clock.advance(Duration.ofNanos(1));
    assertThat(rig.scheduler.nanosToNextDeadline()).isZero();
    rig.step();
    assertThat(rig.scheduler.sessions()).isEmpty();
    assertThat(rig.scheduler.stats().free()).isEqualTo(64);
  }

  @Test
  void extend_whileIdle_countsFromNow_untilTheNextTurnHasEnded() {
    Rig rig = new Rig(64);
    SessionSettings session = rig.open("agent", 1);
    rig.run(rig.delta(session, Rig.ids(0, 40), 8));
    rig.clock.advance(Duration.ofMinutes(4));
    assertThat(rig.view(session).remaining()).isEqualTo(Duration.ofMinutes(1));
    assertThat(rig.scheduler.extend(session.id(), session.incarnation(), Duration.ofHours(1)))
        .isTrue();
    assertThat(rig.view(session).remaining()).isEqualTo(Duration.ofHours(1));
    rig.clock.advance(Duration.ofMinutes(59));
    rig.step();
    assertThat(rig.view(session).idle()).isEqualTo(Duration.ofMinutes(63));
    // The last word counts, also a shorter one.
    rig.scheduler.extend(session.id(), session.incarnation(), Duration.ofSeconds(30));
    assertThat(rig.scheduler.nanosToNextDeadline()).isEqualTo(Duration.ofSeconds(30).toNanos());
    rig.run(rig.delta(session, Rig.ids(0, 4), 1));
    assertThat(rig.view(session).remaining()).isEqualTo(session.timeout());
    rig.clock.advance(session.timeout());
    rig.step();
    assertThat(rig.scheduler.sessions()).isEmpty();
  }

  @Test
  void extend_whileATurnRuns_countsFromItsEnd() {
    Rig rig = new Rig(64);
    SessionSettings session = rig.open("agent", 1);
    rig.submit(rig.delta(session, Rig.ids(0, 40), 20));
    rig.step();
    rig.scheduler.extend(session.id(), session.incarnation(), Duration.ofSeconds(7));
    assertThat(rig.view(session).remaining()).isEqualTo(Duration.ofSeconds(7));
    rig.clock.advance(Duration.ofHours(1));
    rig.drain();
    rig.clock.advance(Duration.ofSeconds(7).minusNanos(1));
    rig.step();
    assertThat(rig.scheduler.sessions()).hasSize(1);
    rig.clock.advance(Duration.ofNanos(1));
    rig.step();
    assertThat(rig.scheduler.sessions()).isEmpty();
  }

  @Test
  void extend_ofAnOlderOrClosingLife_isFalse() {
    Rig rig = new Rig(64);
    SessionSettings old = rig.open("agent", 1);
    SessionSettings session = rig.open("agent", 2);
    Duration hour = Duration.ofHours(1);
    assertThat(rig.scheduler.extend(old.id(), old.incarnation(), hour)).isFalse();
    rig.submit(rig.delta(session, Rig.ids(0, 40), 20));
    CompletableFuture<CloseResult> closed = rig.close(session, OnClose.FREE);
    assertThat(rig.scheduler.extend(session.id(), session.incarnation(), hour)).isFalse();
    rig.drain();
    assertThat(closed).isCompleted();
  }

  @Test
  void tokens_areWhatIsCommitted_andSayWhereTheLastAnswerBegins() {
    Rig rig = new Rig(64);
    SessionSettings session = rig.open("agent", 1);
    assertThat(rig.scheduler.tokens(session.id(), session.incarnation()))
        .contains(new SessionTokens(Tokens.EMPTY, 0, 0));
    rig.run(rig.full(session, Rig.ids(0, 40), 8));
    RecordedAnswer second = rig.run(rig.delta(session, Rig.ids(7, 16), 8));
    Tokens all = second.end().prompt().concat(second.end().completion());
    assertThat(rig.scheduler.tokens(session.id(), session.incarnation()))
        .contains(new SessionTokens(all, 64, rig.view(session).digest()));
    // A turn that rewinds to the end of a prompt and is dropped leaves no answer.
    TurnRequest again = rig.full(session, all.slice(0, 60).concat(Rig.ids(2, 3)), 8);
    rig.submit(again);
    rig.step();
    rig.scheduler.cancel(again.requestId());
    assertThat(rig.scheduler.tokens(session.id(), session.incarnation()))
        .contains(new SessionTokens(all.slice(0, 48), 40, rig.view(session).digest()));
    assertThat(rig.scheduler.tokens(session.id(), new Incarnation(9))).isEmpty();
  }

  @Test
  void muchHigherPriority_preempts_andTheOthersAnswerIsTheSame() {
    Rig rig = new Rig(64, Rig.config(2, 64, 8));
    SessionSettings session = rig.open("agent", 1);
    rig.run(rig.delta(session, Rig.ids(0, 40), 8));
    TurnRequest usual = rig.delta(session, Rig.ids(9, 30), 30);
    RecordedAnswer usualAnswer = rig.submit(usual);
    TurnRequest elder = hinted(rig.stateless(Rig.ids(300, 30), 30), priority(1));
    RecordedAnswer elderAnswer = rig.submit(elder);
    rig.step();
    rig.step();
    TurnRequest slightly = hinted(rig.stateless(Rig.ids(100, 30), 5), priority(10));
    RecordedAnswer slightlyAnswer = rig.submit(slightly);
    rig.step();
    assertThat(slightlyAnswer.hasStarted()).isFalse();
    TurnRequest urgent = hinted(rig.stateless(Rig.ids(200, 30), 5), priority(11));
    RecordedAnswer urgentAnswer = rig.submit(urgent);
    rig.step();
    assertThat(urgentAnswer.ids).hasSize(1);
    assertThat(rig.scheduler.stats().retractions()).isEqualTo(1);
    assertThat(elderAnswer.ids).hasSize(4); // ranks higher, and keeps its place
    assertThat(usualAnswer.ids).hasSize(3);
    assertThat(rig.view(session).committed()).isEqualTo(48);
    assertThat(rig.view(session).resident()).isGreaterThanOrEqualTo(47);
    rig.drain();
    Rig.assertSameAsStateless(usual, usualAnswer);
    Rig.assertSameAsStateless(elder, elderAnswer);
    assertThat(rig.view(session).committed()).isEqualTo(48 + 30 + 30);
  }

  @Test
  void muchHigherPriority_whoseRoomWouldNotBeEnough_waits() {
    Rig rig = new Rig(16, Rig.config(4, 256, 8));
    RecordedAnswer elder = rig.submit(hinted(rig.stateless(Rig.ids(0, 120), 40), priority(5)));
    RecordedAnswer usual = rig.submit(rig.stateless(Rig.ids(300, 60), 40));
    rig.step();
    RecordedAnswer urgent = rig.submit(hinted(rig.stateless(Rig.ids(600, 150), 5), priority(12)));
    rig.step();
    assertThat(urgent.hasStarted()).isFalse();
    assertThat(rig.scheduler.stats().retractions()).isZero();
    rig.drain();
    assertThat(List.of(elder, usual, urgent)).allMatch(RecordedAnswer::isOver);
  }

  /** SGLang #27024: idle sessions held all of the pool, and nothing could run. */
  @Test
  void idleSessionsThatHoldAllPages_giveThemToWhoeverRuns_andRecomputeLater() {
    Rig rig = new Rig(16);
    List<SessionSettings> sessions = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      SessionSettings session = rig.open("agent" + i, i);
      sessions.add(session);
      rig.run(rig.delta(session, Rig.ids(100 * i, 55), 5));
    }
    assertThat(rig.scheduler.stats().free()).isZero();
    TurnRequest stranger = rig.stateless(Rig.ids(999, 200), 50);
    Rig.assertSameAsStateless(stranger, rig.run(stranger));

    RecordedAnswer last = null;
    for (SessionSettings session : sessions) {
      TurnRequest next = rig.delta(session, Rig.ids(5, 6), 6);
      last = rig.run(next);
      Rig.assertSameAsStateless(next, last);
      assertThat(last.start().mode()).isEqualTo(TurnMode.APPEND);
      assertThat(last.start().losses()).containsOnlyKeys(LossCause.EVICTED);
    }
  }

  @Test
  void lostAndFoundAgain_countsOnlyWhatIsRecomputed() {
    Rig rig = new Rig(16);
    SessionSettings session = rig.open("agent", 1);
    rig.run(rig.delta(session, Rig.ids(0, 70), 1));
    rig.run(rig.stateless(Rig.ids(500, 240), 1)); // leaves one page
    assertThat(rig.view(session).resident()).isEqualTo(16);
    rig.run(rig.stateless(rig.scheduler.committed(session.id()), 1)); // computes four pages again
    RecordedAnswer answer = rig.run(rig.delta(session, Rig.ids(5, 6), 1));
    assertThat(answer.start().reusedTokens()).isEqualTo(64);
    assertThat(answer.start().losses()).isEqualTo(Map.of(LossCause.EVICTED, 6));
  }

  @Test
  void evictedAndDiverged_namesBoth() {
    Rig rig = new Rig(16);
    SessionSettings session = rig.open("agent", 1);
    rig.run(rig.delta(session, Rig.ids(0, 40), 8));
    rig.run(rig.delta(session, Rig.ids(9, 40), 8));
    Tokens committed = rig.scheduler.committed(session.id());
    rig.run(rig.stateless(Rig.ids(500, 240), 1)); // leaves one page
    int other = (committed.get(60) + 1) % 22;
    Tokens prompt = committed.slice(0, 60).concat(Tokens.of(other, 3, 4));
    RecordedAnswer answer = rig.run(rig.full(session, prompt, 1));
    assertThat(answer.start().mode()).isEqualTo(TurnMode.REWIND);
    assertThat(answer.start().reusedTokens()).isEqualTo(16);
    assertThat(answer.start().losses())
        .isEqualTo(Map.of(LossCause.EVICTED, 44, LossCause.DIVERGED, 35));
  }

  /** SGLang #27024: a single session that runs away. */
  @Test
  void turnThatOutgrowsThePool_endsWithLength() {
    Rig rig = new Rig(4);
    SessionSettings session = rig.open("agent", 1);
    RecordedAnswer answer = rig.run(rig.delta(session, Rig.ids(0, 30), 1000));
    assertThat(answer.end().reason()).isEqualTo(FinishReason.LENGTH);
    assertThat(answer.end().committed()).isEqualTo(65);
    RecordedAnswer next = rig.submit(rig.delta(session, Rig.ids(0, 1), 1));
    assertThat(next.fault().message())
        .contains("66 tokens; at most 64")
        .contains("KV pool of 64 tokens");
  }

  /** SGLang #31765: a turn aborted in the queue left its session busy forever. */
  @Test
  void cancel_inTheQueue_freesTheSessionForItsNextTurn() {
    Rig rig = new Rig(8, Rig.config(1, 16, 8));
    SessionSettings session = rig.open("agent", 1);
    RecordedAnswer other = rig.submit(rig.stateless(Rig.ids(3, 30), 30));
    rig.step();
    TurnRequest queued = rig.delta(session, Rig.ids(0, 40), 8);
    RecordedAnswer answer = rig.submit(queued);
    rig.step();
    rig.scheduler.cancel(queued.requestId());
    assertThat(answer.end().reason()).isEqualTo(FinishReason.CANCELLED);
    assertThat(answer.end().prompt()).isEqualTo(Rig.ids(0, 40));
    assertThat(answer.hasStarted()).isFalse();
    TurnRequest next = rig.delta(session, Rig.ids(0, 20), 8);
    Rig.assertSameAsStateless(next, rig.run(next));
    rig.drain();
    assertThat(other.end().sampled()).isEqualTo(30);
  }

  @Test
  void cancel_inTheMiddleOfALongPrefill_endsItBeforeTheNextStep() {
    Rig rig = new Rig(64, Rig.config(4, 10, 8));
    SessionSettings session = rig.open("agent", 1);
    TurnRequest request = rig.delta(session, Rig.ids(0, 300), 8);
    RecordedAnswer answer = rig.submit(request);
    rig.step();
    rig.step();
    rig.scheduler.cancel(request.requestId());
    assertThat(answer.end().reason()).isEqualTo(FinishReason.CANCELLED);
    assertThat(answer.ids).isEmpty();
    assertThat(rig.view(session).committed()).isZero();
    rig.verify();
    // The page that it filled is cache for the next try.
    RecordedAnswer again = rig.run(rig.delta(session, Rig.ids(0, 300), 8));
    assertThat(again.start().reusedTokens()).isEqualTo(16);
  }

  /** SGLang #36503: a turn that was refused cleared the owner's mark. */
  @Test
  void secondTurn_whileOneRuns_isRefusedAndChangesNothing() {
    Rig rig = new Rig(64);
    SessionSettings session = rig.open("agent", 1);
    TurnRequest request = rig.delta(session, Rig.ids(0, 40), 8);
    RecordedAnswer answer = rig.submit(request);
    rig.step();
    for (int i = 0; i < 2; i++) {
      RecordedAnswer second = rig.submit(rig.delta(session, Rig.ids(0, 4), 2));
      assertThat(second.fault())
          .isInstanceOfSatisfying(
              Fault.Conflict.class,
              conflict -> assertThat(conflict.code()).isEqualTo("session_busy"));
    }
    rig.drain();
    Rig.assertSameAsStateless(request, answer);
  }

  /** SGLang #36475: after a client had gone the next turn silently had a context of one token. */
  @Test
  void sinkThatFails_cancelsItsTurn_andTheNextHasTheWholeContext() {
    Rig rig = new Rig(64);
    SessionSettings session = rig.open("agent", 1);
    rig.run(rig.delta(session, Rig.ids(0, 40), 8));
    RecordedAnswer gone =
        new RecordedAnswer() {
          @Override
          public void started(TurnStart start) {
            super.started(start);
            throw new IllegalStateException("the client is gone");
          }
        };
    rig.scheduler.submit(rig.delta(session, Rig.ids(9, 9), 8), gone);
    rig.step();
    assertThat(gone.end().reason()).isEqualTo(FinishReason.CANCELLED);
    TurnRequest next = rig.delta(session, Rig.ids(0, 4), 8);
    RecordedAnswer answer = rig.run(next);
    assertThat(answer.start().promptTokens()).isEqualTo(52);
    Rig.assertSameAsStateless(next, answer);
  }

  /** SGLang #40252: a retraction advanced the checkpoint, and rejected turns ran as stubs. */
  @Test
  void retraction_dropsTheScratchTail_andTheAnswerIsTheSame() {
    Rig rig = new Rig(9, Rig.config(4, 64, 1));
    SessionSettings session = rig.open("agent", 1);
    rig.run(rig.delta(session, Rig.ids(0, 20), 4));
    TurnRequest elder = rig.stateless(Rig.ids(3, 30), 60);
    RecordedAnswer elderAnswer = rig.submit(elder);
    TurnRequest request = rig.delta(session, Rig.ids(9, 9), 60);
    RecordedAnswer answer = rig.submit(request);
    while (rig.scheduler.stats().retractions() == 0) {
      rig.step();
    }
    assertThat(rig.view(session).committed()).isEqualTo(24);
    assertThat(answer.isOver()).isFalse();
    int before = answer.ids.size();
    assertThat(before).isPositive();
    rig.drain();
    assertThat(answer.ids.size()).isGreaterThan(before);
    Rig.assertSameAsStateless(request, answer);
    Rig.assertSameAsStateless(elder, elderAnswer);
    assertThat(rig.view(session).committed()).isEqualTo(24 + 9 + 60);
    // It tells how often, and what that cost: all that was computed more than once.
    assertThat(answer.end().retractions()).isPositive();
    assertThat(elderAnswer.end().recomputed()).isZero();
    EngineStats stats = rig.scheduler.stats();
    assertThat(stats.retractions()).isEqualTo(answer.end().retractions());
    long once = 23 + (93 - 1 - 23) + (90 - 1);
    assertThat(stats.computedTokens()).isEqualTo(once + answer.end().recomputed());
    assertThat(answer.end().recomputed()).isPositive();
    assertThat(stats.recomputedTokens()).isEqualTo(answer.end().recomputed());
  }

  @Test
  void modelFailure_failsTheTurnsOfTheStep_andNothingElse() {
    Rig rig = new Rig(64);
    SessionSettings session = rig.open("agent", 1);
    rig.run(rig.delta(session, Rig.ids(0, 40), 8));
    rig.runner.failNext();
    RecordedAnswer failed = rig.run(rig.delta(session, Rig.ids(9, 9), 8));
    assertThat(failed.fault()).isInstanceOf(Fault.Internal.class);
    assertThat(rig.view(session).committed()).isEqualTo(48);
    TurnRequest next = rig.delta(session, Rig.ids(0, 4), 8);
    RecordedAnswer answer = rig.run(next);
    assertThat(answer.start().reusedTokens()).isEqualTo(47);
    Rig.assertSameAsStateless(next, answer);
  }

  @Test
  void modelFailure_stepAfterStep_isThrownInTheEnd() {
    Rig rig = new Rig(64);
    for (int step = 1; step < 8; step++) {
      rig.runner.failNext();
      assertThat(rig.run(rig.stateless(Rig.ids(9, 9), 8)).fault()).isNotNull();
    }
    assertThat(rig.run(rig.stateless(Rig.ids(9, 9), 8)).ids).hasSize(8);
    for (int step = 1; step < 8; step++) {
      rig.runner.failNext();
      assertThat(rig.run(rig.stateless(Rig.ids(9, 9), 8)).fault()).isNotNull();
    }
    rig.runner.failNext();
    assertThatThrownBy(() -> rig.run(rig.stateless(Rig.ids(9, 9), 8)))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("8 steps in a row failed");
  }

  @Test
  void twoPromptsWithOnePrefix_inOneStep_areBothRight_andEndUpOnTheSamePages() {
    Rig rig = new Rig(64);
    TurnRequest one = rig.stateless(Rig.ids(0, 70), 10);
    TurnRequest two = rig.stateless(Rig.ids(0, 64).concat(Rig.ids(5, 6)), 10);
    RecordedAnswer first = rig.submit(one);
    RecordedAnswer second = rig.submit(two);
    rig.step();
    assertThat(rig.scheduler.stats().inUse()).isEqualTo(4 + 2);
    rig.drain();
    Rig.assertSameAsStateless(one, first);
    Rig.assertSameAsStateless(two, second);
  }

  @Test
  void promptThatIsWhollyResident_computesOnlyItsLastToken() {
    Rig rig = new Rig(64);
    RecordedAnswer first = rig.run(rig.stateless(Rig.ids(0, 48), 5));
    RecordedAnswer again = rig.run(rig.stateless(Rig.ids(0, 48), 5));
    assertThat(again.start().reusedTokens()).isEqualTo(47);
    assertThat(again.ids).isEqualTo(first.ids);
    assertThat(again.logprobs).isEqualTo(first.logprobs);
    assertThat(rig.scheduler.stats().cached()).isEqualTo(3);
  }

  @Test
  void token_whoseLogprobNobodyAskedFor_isTheSameAndToldWithoutOne() {
    Rig rig = new Rig(64);
    TurnRequest asking = rig.stateless(Rig.ids(0, 40), 5);
    RecordedAnswer asked = rig.run(withTopLogprobs(asking, OptionalInt.of(0)));
    RecordedAnswer plain = rig.run(withTopLogprobs(asking, OptionalInt.empty()));
    assertThat(plain.ids).hasSize(5).isEqualTo(asked.ids);
    assertThat(plain.logprobs).containsOnly(Float.NaN);
    assertThat(asked.logprobs).allMatch(logprob -> logprob <= 0);
  }

  @Test
  void longPrompt_doesNotHoldUpADecode_forMoreThanTheChunk() {
    Rig rig = new Rig(64, Rig.config(4, 16, 512));
    RecordedAnswer decoding = rig.submit(rig.stateless(Rig.ids(0, 5), 40));
    rig.step();
    RecordedAnswer cold = rig.submit(rig.stateless(Rig.ids(50, 160), 4));
    for (int step = 0; step < 10; step++) {
      int before = decoding.ids.size();
      long computed = rig.scheduler.stats().computedTokens();
      assertThat(cold.ids).isEmpty();
      rig.step();
      assertThat(decoding.ids).hasSize(before + 1);
      assertThat(rig.scheduler.stats().computedTokens() - computed).isLessThanOrEqualTo(17);
    }
    assertThat(cold.ids).hasSize(1);
  }

  @Test
  void smallDelta_goesBeforeAColdPrompt_andInItsPrefillToo() {
    Rig rig = new Rig(64, Rig.config(4, 16, 512));
    RecordedAnswer cold = rig.submit(rig.stateless(Rig.ids(50, 160), 4));
    RecordedAnswer small = rig.submit(rig.stateless(Rig.ids(3, 12), 1));
    rig.step();
    assertThat(small.isOver()).isTrue();
    assertThat(cold.ids).isEmpty();
  }

  @Test
  void coldPrompt_isOvertakenOnlySoOften() {
    Rig rig = new Rig(64, Rig.config(1, 16, 512));
    rig.submit(rig.stateless(Rig.ids(3, 12), 2));
    rig.step();
    RecordedAnswer cold = rig.submit(rig.stateless(Rig.ids(50, 160), 1));
    int overtaken = 0;
    while (!cold.hasStarted()) {
      RecordedAnswer small = rig.run(rig.stateless(Rig.ids(overtaken, 12), 1));
      overtaken++;
      assertThat(small.isOver()).isTrue();
      assertThat(overtaken).isLessThanOrEqualTo(WaitingQueue.PATIENCE + 1);
    }
    rig.drain();
    assertThat(overtaken).isGreaterThan(WaitingQueue.PATIENCE - 1);
  }

  @Test
  void expectedOutput_isWhatPagesAreSetAsideFor() {
    for (boolean hint : new boolean[] {false, true}) {
      Rig rig = new Rig(8, Rig.config(4, 64, 100));
      AgentHints shortly = new AgentHints(0, OptionalInt.of(4), Optional.empty());
      List<RecordedAnswer> answers = new ArrayList<>();
      for (int i = 0; i < 2; i++) {
        TurnRequest request = rig.stateless(Rig.ids(100 * i, 20), 100);
        answers.add(rig.submit(hint ? hinted(request, shortly) : request));
      }
      rig.step();
      assertThat(answers.get(0).hasStarted()).isTrue();
      assertThat(answers.get(1).hasStarted()).isEqualTo(hint);
    }
  }

  @Test
  void expectedOutput_beyondWhatAnybodyGets_setsNoMoreAside() {
    Rig rig = new Rig(8, Rig.config(4, 64, 20));
    AgentHints endless = new AgentHints(0, OptionalInt.of(Integer.MAX_VALUE), Optional.empty());
    List<RecordedAnswer> answers = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      answers.add(rig.submit(hinted(rig.stateless(Rig.ids(100 * i, 20), 100), endless)));
    }
    rig.step();
    assertThat(answers).allMatch(RecordedAnswer::hasStarted);
  }

  @Test
  void higherPriority_isAdmittedFirst() {
    Rig rig = new Rig(64, Rig.config(1, 16, 512));
    RecordedAnswer usual = rig.submit(rig.stateless(Rig.ids(3, 12), 2));
    RecordedAnswer urgent =
        rig.submit(
            hinted(
                rig.stateless(Rig.ids(3, 100), 2),
                new AgentHints(3, OptionalInt.empty(), Optional.empty())));
    rig.step();
    assertThat(urgent.hasStarted()).isTrue();
    assertThat(usual.hasStarted()).isFalse();
  }

  @Test
  void priorityWithRetention_keepsAPrefix_untilItsTimeIsOver() {
    for (boolean over : new boolean[] {false, true}) {
      Rig rig = new Rig(8);
      AgentHints hints =
          new AgentHints(3, OptionalInt.empty(), Optional.of(Duration.ofSeconds(10)));
      rig.run(hinted(rig.stateless(Rig.ids(0, 40), 1), hints));
      rig.clock.advance(Duration.ofSeconds(over ? 10 : 9));
      rig.run(rig.stateless(Rig.ids(500, 60), 1));
      rig.run(rig.stateless(Rig.ids(703, 60), 1));
      rig.run(rig.stateless(Rig.ids(905, 60), 1));
      RecordedAnswer again = rig.run(rig.stateless(Rig.ids(0, 40), 1));
      assertThat(again.start().reusedTokens()).isEqualTo(over ? 0 : 32);
    }
  }

  @Test
  void lfu_keepsWhatWasUsedMoreOften() {
    for (EvictionPolicy policy : List.of(EvictionPolicy.LRU, EvictionPolicy.LFU)) {
      Rig rig = new Rig(8, new EngineConfig(4, 64, 9, 9, 8, 0.8, policy, Duration.ofMinutes(5)));
      for (int i = 0; i < 3; i++) {
        rig.run(rig.stateless(Rig.ids(0, 40), 1));
      }
      rig.run(rig.stateless(Rig.ids(500, 60), 1));
      rig.run(rig.stateless(Rig.ids(703, 60), 1));
      RecordedAnswer again = rig.run(rig.stateless(Rig.ids(0, 40), 1));
      assertThat(again.start().reusedTokens()).isEqualTo(policy == EvictionPolicy.LFU ? 32 : 16);
    }
  }

  @Test
  void sessionsOverTheirBudget_giveWayToEverybodysCache() {
    Rig rig = new Rig(16); // a budget of 12 pages
    rig.run(rig.stateless(Rig.ids(0, 40), 1)); // 2 cached pages, the oldest of all
    SessionSettings one = rig.open("one", 1);
    rig.run(rig.delta(one, Rig.ids(100, 100), 1));
    SessionSettings two = rig.open("two", 2);
    rig.run(rig.delta(two, Rig.ids(300, 100), 1));
    assertThat(rig.scheduler.stats().leased()).isEqualTo(14);
    rig.run(rig.stateless(Rig.ids(700, 10), 1)); // takes a page of the pool's last
    RecordedAnswer cached = rig.run(rig.stateless(Rig.ids(0, 40), 1));
    assertThat(cached.start().reusedTokens()).isEqualTo(32);
    assertThat(rig.view(one).resident()).isLessThan(100);
    assertThat(rig.view(two).resident()).isEqualTo(100);
  }

  @Test
  void stopString_endsTheTurn_andTheSessionHoldsOnlyWhatWasSeen() {
    Rig rig = new Rig(64);
    SessionSettings session = rig.open("agent", 1);
    RecordedAnswer free = rig.run(rig.stateless(Rig.ids(0, 40), 30));
    String text = spell(free.ids);
    String stop = text.substring(20, 24);
    int at = text.indexOf(stop);
    TurnRequest request =
        rig.request(
            Optional.of(Rig.turn(session, Input.DELTA, 0)),
            Rig.ids(0, 40),
            30,
            new StopRules(List.of(stop), Set.of()));
    RecordedAnswer answer = rig.run(request);
    assertThat(answer.end().reason()).isEqualTo(FinishReason.STOP);
    assertThat(answer.end().stopString()).contains(stop);
    String before = text.substring(0, at);
    assertThat(answer.end().visibleBytes()).isEqualTo(before.getBytes(UTF_8).length);
    assertThat(before).startsWith(spell(answer.end().completion().stream().boxed().toList()));
    assertThat(rig.view(session).committed()).isEqualTo(40 + answer.end().completion().length());
    assertThat(rig.view(session).resident()).isEqualTo(rig.view(session).committed());
    TurnRequest next = rig.delta(session, Rig.ids(5, 5), 5);
    RecordedAnswer after = rig.run(next);
    assertThat(after.start().reusedTokens()).isEqualTo(40 + answer.end().completion().length());
    Rig.assertSameAsStateless(next, after);
  }

  @Test
  void endOfTurnToken_isCommitted_andShowsNothing() {
    Rig rig = new Rig(64);
    SessionSettings session = rig.open("agent", 1);
    RecordedAnswer free = rig.run(rig.stateless(Rig.ids(0, 40), 10));
    int end = free.ids.get(4);
    int count = free.ids.indexOf(end) + 1;
    RecordedAnswer answer =
        rig.run(
            rig.request(
                Optional.of(Rig.turn(session, Input.DELTA, 0)),
                Rig.ids(0, 40),
                10,
                new StopRules(List.of(), Set.of(end))));
    assertThat(answer.end().stopToken()).hasValue(end);
    assertThat(answer.end().completion().length()).isEqualTo(count);
    assertThat(answer.end().committed()).isEqualTo(40 + count);
    assertThat(answer.end().visibleBytes())
        .isEqualTo(spell(free.ids.subList(0, count - 1)).getBytes(UTF_8).length);
  }

  @Test
  void capacity_endsGeneration_andRefusesAPromptBeyondIt() {
    Rig rig = new Rig(64);
    SessionSettings session = Rig.settings("agent", 1).withCapacity(50);
    rig.scheduler.open(session);
    RecordedAnswer answer = rig.run(rig.delta(session, Rig.ids(0, 40), 100));
    assertThat(answer.end().reason()).isEqualTo(FinishReason.LENGTH);
    assertThat(answer.end().committed()).isEqualTo(50);
    assertThat(rig.submit(rig.delta(session, Rig.ids(0, 5), 1)).fault().message())
        .contains("55")
        .contains("capacity of 50");
  }

  @Test
  void promptAsLongAsTheContext_isRefused_withBothNumbers() {
    Rig rig = new Rig(64, 100, Rig.config(4, 64, 512));
    assertThat(rig.submit(rig.stateless(Rig.ids(0, 100), 1)).fault().message())
        .contains("the prompt has 100 tokens")
        .contains("context of 100");
    RecordedAnswer answer = rig.run(rig.stateless(Rig.ids(0, 99), 10));
    assertThat(answer.end().reason()).isEqualTo(FinishReason.LENGTH);
    assertThat(answer.end().sampled()).isEqualTo(1);
  }

  @Test
  void badInput_isRefused() {
    Rig rig = new Rig(64);
    assertThat(rig.submit(rig.stateless(Tokens.EMPTY, 1)).fault().message())
        .contains("at least one token");
    assertThat(rig.submit(rig.stateless(Tokens.of(1, 24), 1)).fault().message())
        .contains("token 24")
        .contains("24 tokens");
    assertThat(rig.submit(rig.stateless(Tokens.of(1, -1), 1)).fault().message())
        .contains("token -1");
    assertThatThrownBy(() -> withTopLogprobs(rig.stateless(Rig.ids(0, 4), 2), OptionalInt.of(-1)))
        .hasMessageContaining("top_logprobs is at least 0, not -1");
    TurnRequest twice = rig.stateless(Rig.ids(0, 4), 2);
    rig.submit(twice);
    assertThat(rig.submit(twice).fault()).isInstanceOf(Fault.InvalidRequest.class);
    rig.drain();
  }

  @Test
  void sideRequest_underASessionsName_isServedAside_andTheSessionIsUntouched() {
    Rig rig = new Rig(64);
    SessionSettings session = rig.open("agent", 1);
    rig.run(rig.full(session, Rig.ids(0, 40), 8));
    long digest = rig.view(session).digest();
    // Shares the system message of 20 tokens, but no whole message after it.
    Tokens title = Rig.ids(0, 25).concat(Rig.ids(77, 20));
    TurnRequest request =
        rig.request(Optional.of(Rig.turn(session, Input.FULL, 20)), title, 8, StopRules.NONE);
    RecordedAnswer answer = rig.run(request);
    assertThat(answer.start().mode()).isEqualTo(TurnMode.ASIDE);
    assertThat(answer.start().reusedTokens()).isEqualTo(16);
    assertThat(answer.end().committed()).isEqualTo(48);
    assertThat(answer.end().digest()).isEqualTo(digest);
    Rig.assertSameAsStateless(request, answer);
    assertThat(rig.view(session).digest()).isEqualTo(digest);
    assertThat(rig.view(session).resident()).isEqualTo(47);
  }

  @Test
  void sideRequest_toASessionThatWasLost_isNotTakenForItsFirstTurn() {
    Rig rig = new Rig(64);
    SessionSettings session = rig.open("agent", 1);
    Tokens title = Rig.ids(0, 25).concat(Rig.ids(77, 20));
    TurnRequest request =
        rig.request(Optional.of(Rig.turn(session, Input.FULL, 20)), title, 8, StopRules.NONE);
    RecordedAnswer answer = rig.run(request);
    assertThat(answer.start().mode()).isEqualTo(TurnMode.ASIDE);
    Rig.assertSameAsStateless(request, answer);
    assertThat(rig.view(session).committed()).isZero();
    RecordedAnswer first = rig.run(rig.full(session, Rig.ids(0, 40), 8));
    assertThat(first.start().mode()).isEqualTo(TurnMode.OPENED);
    assertThat(rig.view(session).committed()).isEqualTo(48);
  }

  @Test
  void regenerate_theSamePromptAgain_rewindsToItsEnd() {
    Rig rig = new Rig(64);
    SessionSettings session = rig.open("agent", 1);
    RecordedAnswer first = rig.run(rig.full(session, Rig.ids(0, 40), 8));
    RecordedAnswer again = rig.run(rig.full(session, Rig.ids(0, 40), 8));
    assertThat(again.start().mode()).isEqualTo(TurnMode.REWIND);
    assertThat(again.start().reusedTokens()).isEqualTo(39);
    assertThat(again.start().losses()).isEqualTo(Map.of(LossCause.DIVERGED, 7));
    assertThat(again.ids).isEqualTo(first.ids);
    assertThat(again.logprobs).isEqualTo(first.logprobs);
  }

  @Test
  void open_again_isFineWithTheSameSettings_andAConflictWithOthers() {
    Rig rig = new Rig(64);
    SessionSettings session = rig.open("agent", 1);
    rig.scheduler.open(session);
    SessionSettings other = session.withTimeout(Duration.ofSeconds(7));
    assertThatThrownBy(() -> rig.scheduler.open(other))
        .isInstanceOf(FaultException.class)
        .hasMessageContaining("timeout 300 s");
    assertThat(rig.scheduler.sessions()).hasSize(1);
  }

  @Test
  void newIncarnation_endsTheOlder_whoseTurnsAreStale() {
    Rig rig = new Rig(64);
    SessionSettings old = rig.open("agent", 1);
    rig.run(rig.delta(old, Rig.ids(0, 40), 8));
    rig.open("agent", 2);
    assertThat(rig.scheduler.stats().free()).isEqualTo(64);
    assertThat(rig.submit(rig.delta(old, Rig.ids(0, 4), 1)).fault())
        .isInstanceOfSatisfying(
            Fault.Conflict.class,
            conflict -> assertThat(conflict.code()).isEqualTo("stale_incarnation"));
    assertThat(rig.close(old, OnClose.FREE).join()).isEqualTo(CloseResult.UNKNOWN);
    assertThat(rig.scheduler.sessions()).hasSize(1);
  }

  @Test
  void newIncarnation_whereNoMoreSessionsFit_takesThePlaceOfTheOlder() {
    EngineConfig defaults = EngineConfig.defaults();
    Rig rig =
        new Rig(
            64, new EngineConfig(4, 16, 16, 1, 16, 0.8, defaults.eviction(), defaults.retention()));
    SessionSettings old = rig.open("agent", 1);
    rig.open("agent", 2);
    assertThat(rig.scheduler.sessions())
        .singleElement()
        .satisfies(view -> assertThat(view.incarnation()).isEqualTo(new Incarnation(2)));
    assertThatThrownBy(() -> rig.open("other", 3)).hasMessageContaining("as many as it may");
    assertThat(rig.close(old, OnClose.FREE).join()).isEqualTo(CloseResult.UNKNOWN);
  }

  @Test
  void session_withAnotherSalt_isRefused_andSaltsShareNoPages() {
    Rig rig = new Rig(64);
    SessionSettings session = rig.open("agent", 1);
    rig.run(rig.delta(session, Rig.ids(0, 40), 8));
    Namespace salted = new Namespace(Tenant.DEFAULT, "salt");
    assertThat(rig.submit(in(salted, rig.delta(session, Rig.ids(0, 4), 1))).fault())
        .isInstanceOf(Fault.InvalidRequest.class);
    RecordedAnswer other = rig.run(in(salted, rig.stateless(Rig.ids(0, 40), 1)));
    assertThat(other.start().reusedTokens()).isZero();
  }

  private static String spell(List<Integer> ids) {
    return ids.stream().map(id -> new String(Rig.SPELLING.of(id), UTF_8)).collect(joining());
  }

  private static SessionTurn at(SessionSettings session, OptionalInt tip, OptionalLong digest) {
    return new SessionTurn(
        session.id(),
        session.incarnation(),
        Input.DELTA,
        tip,
        digest,
        OnDivergence.REWIND,
        0,
        false,
        Optional.empty());
  }

  private static AgentHints priority(int priority) {
    return new AgentHints(priority, OptionalInt.empty(), Optional.empty());
  }

  private static TurnRequest hinted(TurnRequest request, AgentHints hints) {
    return new TurnRequest(
        request.requestId(),
        request.namespace(),
        request.session(),
        request.input(),
        request.maxTokens(),
        SamplingParameters.GREEDY,
        request.stop(),
        request.topLogprobs(),
        hints);
  }

  private static TurnRequest in(Namespace namespace, TurnRequest request) {
    return new TurnRequest(
        request.requestId(),
        namespace,
        request.session(),
        request.input(),
        request.maxTokens(),
        SamplingParameters.GREEDY,
        request.stop(),
        OptionalInt.empty(),
        AgentHints.NONE);
  }

  private static TurnRequest withTopLogprobs(TurnRequest request, OptionalInt count) {
    return new TurnRequest(
        request.requestId(),
        request.namespace(),
        request.session(),
        request.input(),
        request.maxTokens(),
        request.sampling(),
        request.stop(),
        count,
        request.hints());
  }
}
