package dev.sojourn.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sojourn.core.AgentHints;
import dev.sojourn.core.Clock;
import dev.sojourn.core.CloseResult;
import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.FinishReason;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.KvEvent;
import dev.sojourn.core.ManualClock;
import dev.sojourn.core.Namespace;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionControl.OnDivergence;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionSettings;
import dev.sojourn.core.Tenant;
import dev.sojourn.core.Tokens;
import dev.sojourn.engine.model.ModelRunner;
import dev.sojourn.engine.model.StepBatch;
import dev.sojourn.engine.sample.SamplingParameters;
import dev.sojourn.engine.sample.TopLogprobs;
import dev.sojourn.text.TokenBytes;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class EngineTest {

  private static final int VOCABULARY = 16;

  private final TokenEchoRunner runner = new TokenEchoRunner(VOCABULARY, 100_000, 64);
  private final ManualClock clock = new ManualClock();
  private final Engine engine = engine(runner);
  private int requests;

  @AfterEach
  void close() {
    engine.close();
    assertThat(runner.isClosed()).isTrue();
  }

  @Test
  void session_fromOpenToClose() throws Exception {
    SessionSettings session = session(1);
    engine.open(session).get();
    TurnEnd first = run(request(Optional.of(session), 40, 8)).get();
    assertThat(first.reason()).isEqualTo(FinishReason.LENGTH);
    assertThat(first.committed()).isEqualTo(48);
    assertThat(run(request(Optional.of(session), 5, 8)).get().committed()).isEqualTo(61);
    assertThat(engine.sessions()).hasSize(1);
    assertThat(engine.sessions().getFirst().resident()).isEqualTo(60);
    engine.check().get();
    CloseResult closed = engine.close(session.id(), session.incarnation(), OnClose.FREE).get();
    assertThat(closed).isEqualTo(new CloseResult(true, 60));
    assertThat(engine.sessions()).isEmpty();
  }

  @Test
  void open_withOtherSettings_failsWithTheFault() throws Exception {
    engine.open(session(1)).get();
    SessionSettings other = session(1).withTimeout(Duration.ofSeconds(9));
    assertThatThrownBy(() -> engine.open(other).get())
        .isInstanceOf(ExecutionException.class)
        .hasCauseInstanceOf(FaultException.class);
  }

  @Test
  void cancel_ofARunningTurn_endsIt() throws Exception {
    TurnRequest request = request(Optional.empty(), 20, 900);
    CountDownLatch running = new CountDownLatch(3);
    CompletableFuture<TurnEnd> end = new CompletableFuture<>();
    engine.submit(request, new Sink(end, running::countDown));
    running.await();
    engine.cancel(request.requestId());
    assertThat(end.get().reason()).isEqualTo(FinishReason.CANCELLED);
    engine.cancel("nobody");
  }

  @Test
  void sinkThatThrows_harmsItselfAlone() throws Exception {
    CompletableFuture<TurnEnd> end = new CompletableFuture<>();
    engine.submit(
        request(Optional.empty(), 20, 900),
        new Sink(
            end,
            () -> {
              throw new IllegalStateException("told to fail");
            }));
    assertThat(end.get().reason()).isEqualTo(FinishReason.CANCELLED);
    assertThat(run(request(Optional.empty(), 20, 5)).get().sampled()).isEqualTo(5);
  }

  @Test
  void subscriber_isToldWhatIsThere_thenWhatComes() throws Exception {
    run(request(Optional.empty(), 40, 1)).get();
    List<KvEvent> events = new ArrayList<>();
    engine.subscribe(events::add);
    engine.sessions(); // whatever was asked before has been done when this returns
    assertThat(events).hasSize(2).allMatch(event -> event instanceof KvEvent.Stored);
    run(request(Optional.empty(), 70, 1)).get();
    engine.sessions();
    assertThat(events).hasSize(4);
  }

  @Test
  void stats_afterAStep_saySoAndCostNoWait() throws Exception {
    run(request(Optional.empty(), 40, 3)).get();
    engine.check().get();
    engine.sessions();
    EngineStats stats = engine.stats();
    assertThat(stats.capacity()).isEqualTo(64);
    assertThat(stats.free() + stats.cached() + stats.leased() + stats.inUse()).isEqualTo(64);
    assertThat(stats.promptTokens()).isEqualTo(40);
    assertThat(stats.sampledTokens()).isEqualTo(3);
    assertThat(stats.computedTokens()).isEqualTo(42);
  }

  @Test
  void stats_whenAnEndIsTold_haveItAlready() throws Exception {
    SessionSettings session = session(1);
    EngineStats opened = statsWhen(() -> engine.open(session));
    assertThat(opened.sessions()).isEqualTo(1);

    CompletableFuture<EngineStats> ended = new CompletableFuture<>();
    engine.submit(
        request(Optional.of(session), 40, 8),
        new RecordedAnswer() {
          @Override
          public void finished(TurnEnd end) {
            ended.complete(engine.stats());
          }
        });
    assertThat(ended.get().running()).isZero();
    assertThat(ended.get().inUse()).isZero();
    assertThat(ended.get().leased()).isEqualTo(3);

    EngineStats closed =
        statsWhen(() -> engine.close(session.id(), session.incarnation(), OnClose.FREE));
    assertThat(closed.sessions()).isZero();
    assertThat(closed.free()).isEqualTo(64);
  }

  /**
   * Returns the statistics that the engine thread sees when it completes an answer: it is held
   * while the question is asked, or what depends on the answer might run here, and later.
   */
  private <T extends @Nullable Object> EngineStats statsWhen(
      Supplier<CompletableFuture<T>> question) throws Exception {
    CountDownLatch asked = new CountDownLatch(1);
    engine.submit(
        request(Optional.empty(), 1, 1),
        new RecordedAnswer() {
          @Override
          public void accepted() {
            super.accepted();
            await(asked);
          }
        });
    CompletableFuture<EngineStats> stats = question.get().thenApply(_ -> engine.stats());
    asked.countDown();
    return stats.get();
  }

  @Test
  void idleEngine_parks() throws Exception {
    run(request(Optional.empty(), 40, 3)).get();
    engine.sessions();
    Thread thread = engineThread();
    while (thread.getState() != Thread.State.WAITING
        && thread.getState() != Thread.State.TIMED_WAITING) {
      Thread.onSpinWait(); // the test's timeout bounds this
    }
    int runs = runner.runs();
    assertThat(run(request(Optional.empty(), 3, 1)).get().sampled()).isEqualTo(1);
    assertThat(runner.runs()).isEqualTo(runs + 1);
  }

  @Test
  void close_cancelsWhatRunsAndWaits_andLaterCallsAreUnavailable() throws Exception {
    SessionSettings session = session(1);
    engine.open(session).get();
    CountDownLatch running = new CountDownLatch(1);
    CompletableFuture<TurnEnd> end = new CompletableFuture<>();
    engine.submit(request(Optional.of(session), 20, 900), new Sink(end, running::countDown));
    running.await();
    CompletableFuture<CloseResult> closing =
        engine.close(session.id(), session.incarnation(), OnClose.FREE);
    engine.close();
    assertThat(end.get(0, TimeUnit.SECONDS).reason()).isEqualTo(FinishReason.CANCELLED);
    assertThat(closing.get(0, TimeUnit.SECONDS).existed()).isTrue();
    assertThat(run(request(Optional.empty(), 3, 1)))
        .isCompletedExceptionally()
        .failsWithin(Duration.ZERO)
        .withThrowableOfType(ExecutionException.class)
        .withMessageContaining("has ended");
    assertThatThrownBy(engine::sessions).isInstanceOf(FaultException.class);
    assertThat(engine.close(session.id(), session.incarnation(), OnClose.FREE))
        .isCompletedExceptionally();
    engine.close();
  }

  /** It fails once: were the engine to go on, the turn would end as if nothing had happened. */
  @Test
  void faultInTheBooks_whileATurnIsCancelled_killsTheEngine_andTheTurnHearsOfIt() throws Exception {
    AtomicBoolean failing = new AtomicBoolean();
    Clock failingOnce =
        new Clock() {
          @Override
          public long nanos() {
            if (failing.getAndSet(false)) {
              throw new IllegalStateException("told to fail");
            }
            return clock.nanos();
          }

          @Override
          public Instant now() {
            return clock.now();
          }

          @Override
          public void pause(Duration time) {
            clock.pause(time);
          }
        };
    try (Engine dying = engine(new TokenEchoRunner(VOCABULARY, 1000, 64), failingOnce)) {
      CountDownLatch asked = new CountDownLatch(1);
      CompletableFuture<TurnEnd> end = new CompletableFuture<>();
      TurnRequest request = request(Optional.empty(), 20, 9);
      dying.submit(
          request,
          new RecordedAnswer() {
            @Override
            public void accepted() {
              super.accepted();
              await(asked);
            }

            @Override
            public void finished(TurnEnd ended) {
              end.complete(ended);
            }

            @Override
            public void failed(Fault fault) {
              end.completeExceptionally(fault.asException());
            }
          });
      SessionSettings none = session(1);
      var armed = dying.tokens(none.id(), none.incarnation()).thenAccept(_ -> failing.set(true));
      dying.cancel(request.requestId());
      asked.countDown();
      assertThatThrownBy(end::join).hasMessageContaining("has died: IllegalStateException");
      assertThat(dying.failure()).hasValue("IllegalStateException");
      armed.join();
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void errorInTheModel_killsTheEngine_whichSaysSo_andFailsItsTurns() {
    ModelRunner broken =
        new ModelRunner() {
          private boolean runBefore;

          @Override
          public int vocabularySize() {
            return VOCABULARY;
          }

          @Override
          public int contextLength() {
            return 100;
          }

          @Override
          public int pages() {
            return 8;
          }

          @Override
          public void run(StepBatch batch) {
            if (!runBefore) {
              runBefore = true;
              return;
            }
            throw new LinkageError("told to fail");
          }

          @Override
          public void copySlots(int from, int to, int slots) {}

          @Override
          public void close() {}
        };
    Engine dying = engine(broken);
    try (dying) {
      CompletableFuture<String> told = new CompletableFuture<>();
      dying.onFailure(told::complete);
      assertThat(dying.failure()).isEmpty();
      CompletableFuture<Boolean> toldFirst = new CompletableFuture<>();
      CompletableFuture<TurnEnd> alike = new CompletableFuture<>();
      CompletableFuture<TurnEnd> waiting = new CompletableFuture<>();
      TurnSink sink =
          new RecordedAnswer() {
            @Override
            public void accepted() {
              super.accepted();
              dying.submit(request(Optional.empty(), 60, 9), new Sink(alike, () -> {}));
              dying.submit(request(Optional.empty(), 60, 9), new Sink(waiting, () -> {}));
            }

            @Override
            public void failed(Fault fault) {
              toldFirst.complete(told.isDone());
              throw new IllegalStateException("told to fail");
            }
          };
      dying.submit(request(Optional.empty(), 3, 9), sink);
      assertThat(toldFirst.join()).as("told of the failure before the turns").isTrue();
      assertThat(told.join()).isEqualTo("LinkageError");
      assertThat(dying.failure()).hasValue("LinkageError");
      assertThatThrownBy(alike::join).hasMessageContaining("has died: LinkageError");
      assertThatThrownBy(waiting::join).hasMessageContaining("has died: LinkageError");
      assertThatThrownBy(dying::sessions).hasMessageContaining("has died: LinkageError");
    }
    assertThat(dying.stats().running()).isZero();
    assertThat(dying.stats().inUse()).isZero();
  }

  private Engine engine(ModelRunner model) {
    return engine(model, clock);
  }

  private static Engine engine(ModelRunner model, Clock clock) {
    byte[][] bytes = new byte[VOCABULARY][];
    for (int id = 0; id < VOCABULARY; id++) {
      bytes[id] = new byte[] {(byte) ('a' + id)};
    }
    TokenBytes spelling = new TokenBytes(bytes, new boolean[VOCABULARY]);
    return new Engine("engine-test", model, spelling, EngineConfig.defaults(), clock);
  }

  private static Thread engineThread() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().equals("engine-test"))
        .findFirst()
        .orElseThrow();
  }

  private CompletableFuture<TurnEnd> run(TurnRequest request) {
    CompletableFuture<TurnEnd> end = new CompletableFuture<>();
    engine.submit(request, new Sink(end, () -> {}));
    return end;
  }

  private static SessionSettings session(long incarnation) {
    return SessionSettings.of(new SessionId(Tenant.DEFAULT, "agent"), new Incarnation(incarnation));
  }

  private TurnRequest request(Optional<SessionSettings> session, int prompt, int maxTokens) {
    return new TurnRequest(
        "request-" + requests++,
        Namespace.DEFAULT,
        session.map(settings ->
            new SessionTurn(
                settings.id(),
                settings.incarnation(),
                Input.DELTA,
                OptionalInt.empty(),
                OptionalLong.empty(),
                OnDivergence.REWIND,
                0,
                false,
                Optional.empty())),
        Tokens.of(IntStream.range(0, prompt).map(i -> i % VOCABULARY).toArray()),
        maxTokens,
        SamplingParameters.GREEDY,
        StopRules.NONE,
        OptionalInt.empty(),
        AgentHints.NONE);
  }

  private record Sink(CompletableFuture<TurnEnd> end, Runnable onToken) implements TurnSink {

    @Override
    public void accepted() {}

    @Override
    public void started(TurnStart start) {}

    @Override
    public void token(int id, float logprob, TopLogprobs top, int visibleBytes) {
      onToken.run();
    }

    @Override
    public void finished(TurnEnd ended) {
      end.complete(ended);
    }

    @Override
    public void failed(Fault fault) {
      end.completeExceptionally(fault.asException());
    }
  }
}
