package dev.sojourn.engine.schedule;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.AgentHints;
import dev.sojourn.core.BlockHasher;
import dev.sojourn.core.CloseResult;
import dev.sojourn.core.FinishReason;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.KvEvent;
import dev.sojourn.core.ManualClock;
import dev.sojourn.core.Namespace;
import dev.sojourn.core.Parent;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionControl.OnDivergence;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionSettings;
import dev.sojourn.core.SessionView;
import dev.sojourn.core.Tenant;
import dev.sojourn.core.Tokens;
import dev.sojourn.engine.EngineConfig;
import dev.sojourn.engine.EngineStats;
import dev.sojourn.engine.EvictionPolicy;
import dev.sojourn.engine.RecordedAnswer;
import dev.sojourn.engine.SessionTurn;
import dev.sojourn.engine.StopRules;
import dev.sojourn.engine.TokenEchoRunner;
import dev.sojourn.engine.TurnEnd;
import dev.sojourn.engine.TurnRequest;
import dev.sojourn.engine.kv.PageState;
import dev.sojourn.engine.sample.SamplingParameters;
import dev.sojourn.text.TokenBytes;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;

/** A scheduler over a {@link TokenEchoRunner}, whose books are checked after every step. */
final class Rig {

  static final int VOCABULARY = 24;

  /** A token that spells nothing. */
  static final int SILENT = 22;

  /** A token that tests use as the end of a turn. */
  static final int END_OF_TURN = 23;

  static final TokenBytes SPELLING = spelling();

  final ManualClock clock;
  final TokenEchoRunner runner;
  final Scheduler scheduler;
  private final Map<Long, OptionalLong> replayed = new HashMap<>();
  private int requests;

  Rig(int pages) {
    this(pages, config(16, 256, 512));
  }

  Rig(int pages, EngineConfig config) {
    this(pages, 4096, config);
  }

  Rig(int pages, int contextLength, EngineConfig config) {
    this(pages, contextLength, config, new ManualClock());
  }

  Rig(int pages, int contextLength, EngineConfig config, ManualClock clock) {
    this.clock = clock;
    runner = new TokenEchoRunner(VOCABULARY, contextLength, pages);
    scheduler = new Scheduler(runner, SPELLING, config, clock, () -> 0);
    runner.setReadOnly(scheduler.pool()::isPublished);
    scheduler.subscribe(this::replay);
  }

  static EngineConfig config(int maxRunning, int prefillChunk, int reserve) {
    return new EngineConfig(
        maxRunning,
        prefillChunk,
        1000,
        1000,
        reserve,
        0.8,
        EvictionPolicy.LRU,
        Duration.ofMinutes(5));
  }

  /** Does a step, then checks everything that can be checked from here. */
  boolean step() {
    EngineStats before = scheduler.stats();
    boolean more = scheduler.step();
    verify();
    EngineStats after = scheduler.stats();
    if (before.waiting() > 0 && before.running() == 0) {
      assertThat(after.running() > 0 || after.waiting() < before.waiting())
          .as("something waits and nothing runs, so the step admits something")
          .isTrue();
    }
    return more;
  }

  /** Steps until nothing is left to do. */
  void drain() {
    for (int i = 0; step(); i++) {
      assertThat(i).as("steps without an end").isLessThan(100_000);
    }
  }

  void verify() {
    scheduler.check();
    for (int page = 0; page < scheduler.pool().capacity(); page++) {
      if (scheduler.pool().state(page) == PageState.FREE) {
        runner.poison(page);
      }
    }
    Map<Long, OptionalLong> resident = new HashMap<>();
    for (KvEvent event : scheduler.pool().resident()) {
      KvEvent.Stored stored = (KvEvent.Stored) event;
      resident.put(stored.hash(), stored.parent());
    }
    assertThat(replayed).as("pages according to the events").isEqualTo(resident);
  }

  private void replay(KvEvent event) {
    switch (event) {
      case KvEvent.Stored stored -> {
        BlockHasher hasher = new BlockHasher(stored.namespace());
        long local = hasher.local(stored.tokens(), 0);
        OptionalLong parent = stored.parent();
        long expected = parent.isPresent() ? hasher.chain(parent.getAsLong(), local) : local;
        if (stored.hash() != expected
            || (parent.isPresent() && !replayed.containsKey(parent.getAsLong()))
            || replayed.put(stored.hash(), parent) != null) {
          throw new AssertionError("wrong event " + event);
        }
      }
      case KvEvent.Removed removed -> {
        if (replayed.remove(removed.hash()) == null) {
          throw new AssertionError("removed, but unknown: " + event);
        }
      }
      case KvEvent.Cleared _ -> replayed.clear();
    }
  }

  SessionSettings open(String name, long incarnation) {
    SessionSettings settings = settings(name, incarnation);
    scheduler.open(settings);
    return settings;
  }

  static SessionSettings settings(String name, long incarnation) {
    return SessionSettings.of(id(name), new Incarnation(incarnation));
  }

  SessionSettings fork(SessionSettings parent, String name, long incarnation) {
    SessionSettings settings = childOf(parent, name, incarnation, true);
    scheduler.open(settings);
    return settings;
  }

  static SessionSettings childOf(
      SessionSettings parent, String name, long incarnation, boolean shares) {
    return settings(name, incarnation)
        .withParent(new Parent(parent.id(), parent.incarnation(), shares));
  }

  static SessionId id(String name) {
    return new SessionId(Tenant.DEFAULT, name);
  }

  CompletableFuture<CloseResult> close(SessionSettings session, OnClose how) {
    CompletableFuture<CloseResult> reply = new CompletableFuture<>();
    scheduler.close(session.id(), session.incarnation(), how, reply);
    return reply;
  }

  RecordedAnswer submit(TurnRequest request) {
    RecordedAnswer answer = new RecordedAnswer();
    scheduler.submit(request, answer);
    return answer;
  }

  /** Submits a turn and steps until it has ended. */
  RecordedAnswer run(TurnRequest request) {
    RecordedAnswer answer = submit(request);
    while (!answer.isOver()) {
      step();
    }
    return answer;
  }

  TurnRequest stateless(Tokens prompt, int maxTokens) {
    return request(Optional.empty(), prompt, maxTokens, StopRules.NONE);
  }

  TurnRequest delta(SessionSettings session, Tokens input, int maxTokens) {
    return request(Optional.of(turn(session, Input.DELTA, 0)), input, maxTokens, StopRules.NONE);
  }

  TurnRequest full(SessionSettings session, Tokens input, int maxTokens) {
    return request(Optional.of(turn(session, Input.FULL, 0)), input, maxTokens, StopRules.NONE);
  }

  static SessionTurn turn(SessionSettings session, Input input, int rewindFloor) {
    return new SessionTurn(
        session.id(),
        session.incarnation(),
        input,
        OptionalInt.empty(),
        OptionalLong.empty(),
        OnDivergence.REWIND,
        rewindFloor,
        false,
        Optional.empty());
  }

  TurnRequest request(Optional<SessionTurn> session, Tokens input, int maxTokens, StopRules stop) {
    return new TurnRequest(
        "request-" + requests++,
        Namespace.DEFAULT,
        session,
        input,
        maxTokens,
        SamplingParameters.GREEDY,
        stop,
        OptionalInt.of(0),
        AgentHints.NONE);
  }

  SessionView view(SessionSettings session) {
    return scheduler.sessions().stream()
        .filter(view -> view.incarnation().equals(session.incarnation()))
        .findFirst()
        .orElseThrow();
  }

  /** Checks an answer against a stateless run over the same ids on a scheduler of its own. */
  static void assertSameAsStateless(TurnRequest request, RecordedAnswer answer) {
    TurnEnd end = answer.end();
    Tokens prompt = end.prompt();
    int sampled = end.sampled();
    assertThat(answer.ids).hasSize(sampled);
    if (sampled == 0) {
      return;
    }
    Rig rig = new Rig((prompt.length() + sampled) / BlockHasher.BLOCK + 1);
    boolean stopped = end.reason() == FinishReason.STOP;
    RecordedAnswer oracle = new RecordedAnswer();
    rig.scheduler.submit(
        new TurnRequest(
            "oracle",
            request.namespace(),
            Optional.empty(),
            prompt,
            sampled + (stopped ? 1 : 0),
            request.sampling(),
            request.stop(),
            OptionalInt.of(0),
            AgentHints.NONE),
        oracle);
    while (!oracle.isOver()) {
      rig.scheduler.step();
    }
    TurnEnd expected = oracle.end();
    assertThat(answer.ids).isEqualTo(oracle.ids);
    assertThat(answer.logprobs).isEqualTo(oracle.logprobs);
    assertThat(answer.visible).isEqualTo(oracle.visible);
    if (end.reason() != FinishReason.CANCELLED) {
      assertThat(end.reason()).isEqualTo(expected.reason());
      assertThat(end.completion()).isEqualTo(expected.completion());
      assertThat(end.visibleBytes()).isEqualTo(expected.visibleBytes());
      assertThat(end.stopString()).isEqualTo(expected.stopString());
      assertThat(end.stopToken()).isEqualTo(expected.stopToken());
    }
  }

  /** Returns ids from {@code from} on, modulo the vocabulary. */
  static Tokens ids(int from, int count) {
    return Tokens.of(IntStream.range(from, from + count).map(i -> i * i % 22).toArray());
  }

  private static TokenBytes spelling() {
    byte[][] bytes = new byte[VOCABULARY][];
    boolean[] special = new boolean[VOCABULARY];
    List<String> words =
        List.of(
            "a", "b", "c", "d", "ab", "ba", "abc", "cab", "bb", "aa", "cd", "dc", "é", "a b", "bca",
            "dd", "e", "f", "g", "h", " ", "€");
    for (int id = 0; id < VOCABULARY; id++) {
      bytes[id] =
          (id < words.size() ? words.get(id) : "<" + id + ">").getBytes(StandardCharsets.UTF_8);
      special[id] = id >= words.size();
    }
    return new TokenBytes(bytes, special);
  }
}
