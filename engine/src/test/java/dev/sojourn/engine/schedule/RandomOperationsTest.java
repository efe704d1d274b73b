package dev.sojourn.engine.schedule;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.AgentHints;
import dev.sojourn.core.BlockHasher;
import dev.sojourn.core.CloseResult;
import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.FinishReason;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.Namespace;
import dev.sojourn.core.Opened;
import dev.sojourn.core.Parent;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionControl.OnDivergence;
import dev.sojourn.core.SessionKind;
import dev.sojourn.core.SessionSettings;
import dev.sojourn.core.SessionView;
import dev.sojourn.core.Tokens;
import dev.sojourn.core.TurnMode;
import dev.sojourn.engine.EngineConfig;
import dev.sojourn.engine.EngineStats;
import dev.sojourn.engine.EvictionPolicy;
import dev.sojourn.engine.RecordedAnswer;
import dev.sojourn.engine.SessionTurn;
import dev.sojourn.engine.StopRules;
import dev.sojourn.engine.TreePlace;
import dev.sojourn.engine.TurnEnd;
import dev.sojourn.engine.TurnRequest;
import dev.sojourn.engine.TurnStart;
import dev.sojourn.engine.sample.SamplingParameters;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * Random operations on a scheduler, against a model of plain lists: the invariants of the design
 * after every step, and every answer compared bit for bit with a stateless run over the same ids.
 *
 * <p>{@code -Dsojourn.operations=N} sets how many, {@code -Dsojourn.seed=S} replays one world.
 */
class RandomOperationsTest {

  private static final int OPERATIONS = Integer.getInteger("sojourn.operations", 40_000);
  private static final int OPERATIONS_OF_A_WORLD = 500;
  private static final List<EvictionPolicy> POLICIES = List.of(EvictionPolicy.values());

  @Test
  void randomOperations_afterEachStep_agreeWithPlainLists() {
    Long only = Long.getLong("sojourn.seed");
    if (only != null) {
      new World(only).run(OPERATIONS_OF_A_WORLD);
      return;
    }
    Coverage total = new Coverage();
    for (long seed = 0; seed < OPERATIONS / OPERATIONS_OF_A_WORLD; seed++) {
      World world = new World(seed);
      try {
        world.run(OPERATIONS_OF_A_WORLD);
      } catch (Throwable e) {
        throw new AssertionError("replay with -Dsojourn.seed=" + seed + ": " + world, e);
      }
      total.add(world.seen);
    }
    // A test that never gets there would prove nothing.
    assertThat(total.counts)
        .containsKeys(
            "mode OPENED",
            "mode APPEND",
            "mode REWIND",
            "mode ASIDE",
            "mode NONE",
            "mode FORK",
            "restart",
            "end STOP",
            "end LENGTH",
            "end CANCELLED",
            "stop string",
            "stop token",
            "retraction",
            "eviction",
            "lost EVICTED",
            "lost DIVERGED",
            "reused all but one",
            "expired",
            "extended",
            "closed busy",
            "model failure",
            "sink failure",
            "fault tip_mismatch",
            "fault diverged",
            "fault session_busy",
            "fault stale_incarnation",
            "fault session_not_found",
            "fault session_settings",
            "fault parent_not_found",
            "fault parent stale",
            "fault capacity",
            "fault too long",
            "fault no such turn",
            "fault unfinished turn",
            "fault no tree",
            "tree OPENED",
            "tree APPEND",
            "tree REWIND",
            "tree FORK",
            "replaced a running turn",
            "tree with turns side by side",
            "adopted");
  }

  /** How often what was seen. */
  private static final class Coverage {
    final Map<String, Integer> counts = new HashMap<>();

    void see(String what) {
      counts.merge(what, 1, Integer::sum);
    }

    void add(Coverage other) {
      other.counts.forEach((what, count) -> counts.merge(what, count, Integer::sum));
    }
  }

  /** A request and what must come of it. */
  private static final class Expected {
    final TurnRequest request;
    final @Nullable SessionModel session;
    final TurnMode mode;
    final List<Integer> prompt;
    final Answer answer;
    boolean startChecked;

    Expected(
        TurnRequest request,
        @Nullable SessionModel session,
        TurnMode mode,
        List<Integer> prompt,
        Answer answer) {
      this.request = request;
      this.session = session;
      this.mode = mode;
      this.prompt = prompt;
      this.answer = answer;
    }
  }

  /** A sink that may fail, and that tells the model of a rewind when it happens. */
  private static final class Answer extends RecordedAnswer {
    private final int failAfter;
    private Runnable onStart = () -> {};

    Answer(int failAfter) {
      this.failAfter = failAfter;
    }

    @Override
    public void started(TurnStart start) {
      super.started(start);
      onStart.run();
    }

    @Override
    public void token(
        int id, float logprob, dev.sojourn.engine.sample.TopLogprobs top, int visibleBytes) {
      super.token(id, logprob, top, visibleBytes);
      if (ids.size() == failAfter) {
        throw new IllegalStateException("told to fail");
      }
    }
  }

  private static final class World {
    final Coverage seen = new Coverage();
    private final Random random;
    private final long seed;
    private final Rig rig;
    private final int pages;
    private final int contextLength;
    private final List<SessionModel> lives = new ArrayList<>();
    private final Map<String, SessionModel> current = new HashMap<>();
    private final List<Expected> pending = new ArrayList<>();
    private final List<List<Integer>> prefixes = new ArrayList<>();
    private long incarnations;
    private int requests;
    private int operations;

    World(long seed) {
      this.seed = seed;
      random = new Random(seed);
      pages = 4 + random.nextInt(random.nextBoolean() ? 8 : 60);
      contextLength = 40 + random.nextInt(600);
      rig =
          new Rig(
              pages,
              contextLength,
              new EngineConfig(
                  1 + random.nextInt(6),
                  1 + random.nextInt(random.nextBoolean() ? 8 : 60),
                  8,
                  6,
                  1 + random.nextInt(30),
                  random.nextDouble(),
                  POLICIES.get(random.nextInt(POLICIES.size())),
                  Duration.ofSeconds(random.nextInt(20))));
      for (int i = 0; i < 4; i++) {
        prefixes.add(ids(random.nextInt(100)));
      }
    }

    void run(int count) {
      for (operations = 0; operations < count; operations++) {
        switch (random.nextInt(25)) {
          case 0 -> open();
          case 1, 2, 3, 4, 5, 6 -> turn();
          case 7, 8 -> stateless();
          case 9 -> cancel();
          case 10 -> {
            if (random.nextInt(4) == 0) {
              close();
            }
          }
          case 11 -> extend();
          case 12 -> rig.clock.advance(Duration.ofSeconds(random.nextInt(12)));
          case 13 -> {
            if (random.nextInt(6) == 0) {
              rig.runner.failNext();
            }
          }
          default -> steps(1 + random.nextInt(6));
        }
        settle();
        rig.verify();
        compareSessions();
      }
      finish();
    }

    private void steps(int count) {
      for (int i = 0; i < count; i++) {
        expire();
        rig.step();
        settle();
        compareSessions();
      }
    }

    /** At the end nobody holds anything. */
    private void finish() {
      for (int i = 0; !pending.isEmpty(); i++) {
        assertThat(i).as("steps without an end").isLessThan(20_000);
        steps(1);
      }
      List.copyOf(lives).forEach(this::close);
      EngineStats stats = rig.scheduler.stats();
      assertThat(stats.free() + stats.cached()).isEqualTo(pages);
      assertThat(stats.sessions() + stats.running() + stats.waiting()).isZero();
      if (stats.retractions() > 0) {
        seen.see("retraction");
      }
      if (stats.evictedPages() > 0) {
        seen.see("eviction");
      }
    }

    private void open() {
      String name = name();
      SessionModel there = current.get(name);
      int kind = random.nextInt(6);
      SessionSettings settings;
      if (there != null && kind < 2) {
        settings = kind == 0 ? there.settings : there.settings.withTimeout(Duration.ofSeconds(77));
      } else if (there != null && kind < 5) {
        return;
      } else {
        settings =
            Rig.settings(name, incarnations++)
                .withTimeout(Duration.ofSeconds(5 + random.nextInt(60)))
                .withOnExpiry(random.nextBoolean() ? OnClose.FREE : OnClose.RETAIN);
        settings =
            random.nextInt(4) == 0 ? settings.withCapacity(60 + random.nextInt(200)) : settings;
        settings = random.nextInt(3) == 0 ? settings.withParent(parent()) : settings;
        if (random.nextInt(3) == 0 && settings.parent().filter(Parent::shares).isEmpty()) {
          settings = settings.withKind(SessionKind.REGULAR);
        }
      }
      boolean same = there != null && there.settings.incarnation().equals(settings.incarnation());
      boolean conflict =
          there != null && same && (there.closing || !there.settings.equals(settings));
      boolean takesAPlace = there != null && !there.busy;
      boolean full = !same && !takesAPlace && lives.size() >= 6;
      Optional<String> orphan = same ? Optional.empty() : faultOfParent(settings);
      try {
        Opened opened = rig.scheduler.open(settings);
        assertThat(conflict || full || orphan.isPresent())
            .as("%s over %s: %s, %s, %s", settings, there, conflict, full, orphan)
            .isFalse();
        assertThat(opened.committed()).isEqualTo(rig.view(settings).committed());
      } catch (FaultException e) {
        assertThat(conflict || full || orphan.isPresent()).isTrue();
        if (conflict) {
          assertThat(code(e.fault())).isEqualTo("session_settings");
          seen.see("fault session_settings");
        } else if (!full) {
          assertThat(code(e.fault())).isEqualTo(orphan.orElseThrow());
          seen.see("fault " + orphan.get().replace("stale_incarnation", "parent stale"));
        }
        return;
      }
      if (same) {
        return;
      }
      SessionModel model = new SessionModel(settings, now());
      settings
          .parent()
          .ifPresent(parent -> {
            SessionModel from = current.get(parent.id().name());
            if (from != null
                && !from.closing
                && from.settings.incarnation().equals(parent.incarnation())) {
              model.startFrom(from, parent.shares());
            }
          });
      if (there != null) {
        if (there.busy) {
          there.closing = true;
        } else {
          end(there);
        }
      }
      lives.add(model);
      current.put(name, model);
    }

    /** Returns a session to be started from, seldom one that is not there. */
    private Parent parent() {
      boolean isThere = !lives.isEmpty() && random.nextInt(4) > 0;
      SessionSettings settings =
          isThere
              ? lives.get(random.nextInt(lives.size())).settings
              : Rig.settings(name(), random.nextInt(50));
      return new Parent(settings.id(), settings.incarnation(), random.nextInt(4) > 0);
    }

    private Optional<String> faultOfParent(SessionSettings settings) {
      Parent parent = settings.parent().filter(Parent::shares).orElse(null);
      if (parent == null) {
        return Optional.empty();
      }
      SessionModel there = current.get(parent.id().name());
      if (there == null || there.closing) {
        return Optional.of("parent_not_found");
      }
      if (!there.settings.incarnation().equals(parent.incarnation())) {
        return Optional.of("stale_incarnation");
      }
      return there.committed.size() >= settings.capacity().orElse(Integer.MAX_VALUE)
          ? Optional.of("capacity")
          : Optional.empty();
    }

    private void turn() {
      String name = name();
      List<SessionModel> idle =
          lives.stream().filter(life -> !life.busy || life.tree != null).toList();
      List<SessionModel> some = idle.isEmpty() || random.nextInt(8) == 0 ? lives : idle;
      SessionModel model =
          some.isEmpty() || random.nextInt(15) == 0 ? null : some.get(random.nextInt(some.size()));
      SessionSettings settings =
          model == null
              ? Rig.settings(name, random.nextInt(3) == 0 ? -1 : random.nextInt(50))
              : model.settings;
      if (model == null) {
        SessionModel there = current.get(name);
        model =
            there != null && there.settings.incarnation().equals(settings.incarnation())
                ? there
                : null;
      }
      if (model != null && random.nextInt(20) > 0 == (model.tree != null)) {
        turnInTree(model);
        return;
      }
      List<Integer> committed = model == null ? List.of() : model.committed;
      boolean isDelta = random.nextInt(2) > 0;
      List<Integer> input = isDelta ? ids(random.nextInt(40)) : full(committed);
      boolean wrongTip = random.nextInt(15) == 0;
      OptionalInt tip =
          wrongTip
              ? OptionalInt.of(committed.size() + 1)
              : random.nextBoolean() ? OptionalInt.of(committed.size()) : OptionalInt.empty();
      boolean wrongDigest = random.nextInt(20) == 0;
      OptionalLong digest =
          wrongDigest
              ? OptionalLong.of(digest(committed) + 1)
              : random.nextBoolean() ? OptionalLong.of(digest(committed)) : OptionalLong.empty();
      boolean reject = random.nextInt(6) == 0;
      int floor = random.nextInt(4) == 0 ? random.nextInt(60) : 0;
      SessionTurn turn =
          new SessionTurn(
              settings.id(),
              settings.incarnation(),
              isDelta ? Input.DELTA : Input.FULL,
              tip,
              digest,
              reject ? OnDivergence.REJECT : OnDivergence.REWIND,
              floor,
              random.nextInt(6) == 0,
              Optional.empty());
      Plan plan = plan(settings, model, isDelta, input, committed, wrongTip || wrongDigest, turn);
      submit(request(Optional.of(turn), input), plan.fault == null ? model : null, plan);
    }

    /** Takes a turn of a regular session; seldom of one that is none. */
    private void turnInTree(SessionModel model) {
      TreeModel tree = model.tree;
      List<String> there = new ArrayList<>();
      if (tree != null) {
        there.addAll(tree.turns.keySet());
        there.addAll(tree.growing.keySet());
      }
      int which = random.nextInt(14);
      Optional<String> base =
          which < 3
              ? Optional.empty()
              : which == 3 || there.isEmpty()
                  ? Optional.of("nobody")
                  : Optional.of(
                      which < 9 ? there.getLast() : there.get(random.nextInt(there.size())));
      boolean replaces = random.nextInt(4) == 0 && (base.isPresent() || random.nextInt(4) == 0);
      int offset = random.nextInt(3) > 0 ? 0 : random.nextInt(60) - 20;
      TreePlace place = new TreePlace(base, replaces, random.nextInt(4) == 0, offset);
      List<Integer> input = ids(random.nextInt(25));
      SessionModel newest = current.get(model.settings.id().name());
      Optional<TreeModel.Turn> turn = tree == null ? Optional.empty() : tree.plan(place, input);
      Plan plan;
      if (newest == null || newest.closing) {
        plan = Plan.fault("session_not_found");
      } else if (!newest.equals(model)) {
        plan = Plan.fault("stale_incarnation");
      } else if (tree == null) {
        plan = Plan.fault(model.busy ? "session_busy" : "no tree");
      } else if (turn.isEmpty()) {
        boolean runs = tree.growing.containsKey(base.orElseThrow());
        plan = Plan.fault(runs ? "unfinished turn" : "no such turn");
      } else {
        // What it does is the tree's affair, as long as the prompt is right.
        plan = checked(new Plan(null, TurnMode.APPEND, turn.get().prompt(), 0), model);
      }
      SessionSettings of = model.settings;
      TurnRequest request =
          request(Optional.of(SessionTurn.at(place, of.id(), of.incarnation())), input);
      boolean interrupts = tree != null && base.filter(tree.growing::containsKey).isPresent();
      if (submit(request, plan.fault == null ? model : null, plan) && tree != null) {
        if (interrupts) {
          seen.see("replaced a running turn");
        }
        if (!tree.growing.isEmpty() && tree.growing.keySet().stream().allMatch(this::isOver)) {
          model.giveBack(now()); // it replaced them all: nobody had the session for a moment
        }
        tree.accept(request.requestId(), place, turn.orElseThrow());
        if (rig.scheduler.stats().running() > 1 && tree.growing.size() > 1) {
          seen.see("tree with turns side by side");
        }
      }
    }

    private boolean isOver(String requestId) {
      return pending.stream()
          .filter(expected -> expected.request.requestId().equals(requestId))
          .allMatch(expected -> expected.answer.isOver());
    }

    private record Plan(@Nullable String fault, TurnMode mode, List<Integer> prompt, int boundary) {

      static Plan fault(String code) {
        return new Plan(code, TurnMode.NONE, List.of(), 0);
      }
    }

    private Plan plan(
        SessionSettings settings,
        @Nullable SessionModel model,
        boolean isDelta,
        List<Integer> input,
        List<Integer> committed,
        boolean wrong,
        SessionTurn turn) {
      SessionModel newest = current.get(settings.id().name());
      if (newest == null || newest.closing) {
        return Plan.fault("session_not_found");
      }
      if (!newest.equals(model)) {
        return Plan.fault("stale_incarnation");
      }
      if (newest.tree != null) {
        return Plan.fault("no tree");
      }
      if (newest.busy) {
        return Plan.fault("session_busy");
      }
      if (wrong) {
        return Plan.fault("tip_mismatch");
      }
      Plan plan;
      int common = common(committed, input);
      if (committed.isEmpty()) {
        TurnMode mode =
            turn.rewindFloor() > 0 && !turn.restarts() ? TurnMode.ASIDE : TurnMode.OPENED;
        plan = new Plan(null, mode, input, 0);
      } else if (isDelta) {
        List<Integer> all = new ArrayList<>(committed);
        all.addAll(input);
        plan = new Plan(null, newest.turns == 0 ? TurnMode.FORK : TurnMode.APPEND, all, 0);
      } else if (common == committed.size()) {
        plan = new Plan(null, newest.turns == 0 ? TurnMode.FORK : TurnMode.APPEND, input, 0);
      } else if (turn.onDivergence() == OnDivergence.REJECT) {
        return Plan.fault("diverged");
      } else {
        int boundary = newest.boundary(Math.max(1, turn.rewindFloor()), common);
        if (boundary < 0 && turn.restarts()) {
          boundary = 0;
          seen.see("restart");
        }
        plan = new Plan(null, boundary < 0 ? TurnMode.ASIDE : TurnMode.REWIND, input, boundary);
      }
      return checked(plan, plan.mode == TurnMode.ASIDE ? null : newest);
    }

    private Plan checked(Plan plan, @Nullable SessionModel session) {
      int length = plan.prompt.size();
      boolean tooLong =
          length >= contextLength
              || length > pages * BlockHasher.BLOCK
              || (session != null && length >= capacity(session.settings));
      return length == 0 || tooLong ? Plan.fault(length == 0 ? "empty" : "too long") : plan;
    }

    private static int capacity(SessionSettings settings) {
      return settings.capacity().orElse(Integer.MAX_VALUE);
    }

    private void stateless() {
      List<Integer> prompt = new ArrayList<>(prefixes.get(random.nextInt(prefixes.size())));
      prompt.addAll(ids(random.nextInt(20)));
      submit(
          request(Optional.empty(), prompt),
          null,
          checked(new Plan(null, TurnMode.NONE, prompt, 0), null));
    }

    /** Submits a turn, and returns whether it was accepted. */
    private boolean submit(TurnRequest request, @Nullable SessionModel session, Plan plan) {
      boolean fullQueue = rig.scheduler.stats().waiting() >= 8;
      Answer answer = new Answer(random.nextInt(25) == 0 ? 1 + random.nextInt(10) : -1);
      Expected expected = new Expected(request, session, plan.mode, plan.prompt, answer);
      answer.onStart =
          () -> {
            if (session != null && plan.mode == TurnMode.REWIND) {
              session.rewind(plan.boundary);
            }
          };
      rig.scheduler.submit(request, answer);
      assertThat(answer.accepted).isEqualTo(plan.fault == null && !fullQueue);
      if (answer.accepted) {
        pending.add(expected);
        if (session != null) {
          session.busy = true;
        }
      } else if (fullQueue) {
        assertThat(answer.fault()).isInstanceOf(Fault.Overloaded.class);
      } else if (plan.fault != null) {
        seen.see("fault " + plan.fault);
        switch (plan.fault) {
          case "empty" -> assertThat(answer.fault()).isInstanceOf(Fault.InvalidRequest.class);
          case "no tree" -> assertThat(answer.fault().message()).contains(" tree of turns");
          case "no such turn" ->
              assertThat(answer.fault().message()).isEqualTo("Invalid request session id");
          case "unfinished turn" ->
              assertThat(answer.fault().message()).contains("hasn't finished");
          case "too long" -> assertThat(answer.fault()).isInstanceOf(Fault.PromptTooLong.class);
          default -> assertThat(code(answer.fault())).isEqualTo(plan.fault);
        }
      }
      return answer.accepted;
    }

    private void cancel() {
      if (pending.isEmpty()) {
        rig.scheduler.cancel("nobody");
        return;
      }
      Expected victim = pending.get(random.nextInt(pending.size()));
      rig.scheduler.cancel(victim.request.requestId());
      assertThat(victim.answer.isOver()).isTrue();
    }

    private void close() {
      if (lives.isEmpty()) {
        CompletableFuture<CloseResult> reply = rig.close(Rig.settings("z", 1), OnClose.FREE);
        assertThat(reply).isCompletedWithValue(CloseResult.UNKNOWN);
        return;
      }
      close(lives.get(random.nextInt(lives.size())));
    }

    private void close(SessionModel model) {
      CompletableFuture<CloseResult> reply =
          rig.close(model.settings, random.nextBoolean() ? OnClose.FREE : OnClose.RETAIN);
      assertThat(reply.isDone()).isEqualTo(!model.busy);
      if (model.busy) {
        model.closing = true;
        seen.see("closed busy");
      } else {
        end(model);
      }
    }

    private void extend() {
      if (lives.isEmpty()) {
        return;
      }
      SessionModel model = lives.get(random.nextInt(lives.size()));
      Duration idle = Duration.ofSeconds(random.nextInt(90));
      SessionSettings of = model.settings;
      assertThat(rig.scheduler.extend(of.id(), of.incarnation(), idle)).isEqualTo(!model.closing);
      if (!model.closing) {
        model.extend(idle, now());
        seen.see("extended");
      }
    }

    private void expire() {
      for (SessionModel model : List.copyOf(lives)) {
        if (!model.busy && model.deadline <= now()) {
          end(model);
          seen.see("expired");
        }
      }
    }

    private void end(SessionModel model) {
      lives.remove(model);
      current.remove(model.settings.id().name(), model);
    }

    /** Brings the model up to date with the turns that have ended, and checks these. */
    private void settle() {
      for (Expected expected : List.copyOf(pending)) {
        Answer answer = expected.answer;
        if (answer.hasStarted() && !expected.startChecked) {
          expected.startChecked = true;
          checkStart(expected, answer.start());
        }
        if (!answer.isOver()) {
          continue;
        }
        pending.remove(expected);
        SessionModel session = expected.session;
        if (answer.hasFailed()) {
          assertThat(answer.fault()).isInstanceOf(Fault.Internal.class);
          seen.see("model failure");
          if (session != null && session.tree != null) {
            session.tree.end(expected.request.requestId(), Optional.empty());
          }
        } else {
          checkEnd(expected, answer.end());
        }
        if (session != null) {
          session.busy = session.tree != null && !session.tree.growing.isEmpty();
          if (!session.busy) {
            session.giveBack(now());
            if (session.closing) {
              end(session);
            }
          }
        }
      }
    }

    private void checkStart(Expected expected, TurnStart start) {
      boolean inTree = expected.session != null && expected.session.tree != null;
      if (inTree) {
        seen.see("tree " + start.mode());
      } else {
        assertThat(start.mode()).isEqualTo(expected.mode);
      }
      assertThat(start.promptTokens()).isEqualTo(expected.prompt.size());
      assertThat(start.reusedTokens()).isLessThan(start.promptTokens());
      start
          .losses()
          .forEach((cause, tokens) -> {
            assertThat(tokens).isPositive();
            seen.see("lost " + cause);
          });
      if (start.reusedTokens() == start.promptTokens() - 1) {
        seen.see("reused all but one");
      }
      if (start.mode() == TurnMode.NONE && start.reusedTokens() > 0) {
        seen.see("adopted");
      }
    }

    private void checkEnd(Expected expected, TurnEnd end) {
      SessionModel session = expected.session;
      seen.see("mode " + expected.mode);
      seen.see("end " + end.reason());
      assertThat(list(end.prompt())).isEqualTo(expected.prompt);
      Rig.assertSameAsStateless(expected.request, expected.answer);
      if (end.stopString().isPresent()) {
        seen.see("stop string");
      }
      if (end.stopToken().isPresent()) {
        seen.see("stop token");
      }
      assertThat(list(end.completion())).isEqualTo(wholeBeforeStop(expected));
      if (expected.answer.failAfter > 0
          && expected.answer.ids.size() == expected.answer.failAfter) {
        assertThat(end.reason()).isEqualTo(FinishReason.CANCELLED);
        seen.see("sink failure");
      }
      if (end.reason() == FinishReason.LENGTH) {
        int length = expected.prompt.size() + end.sampled();
        int most = Math.min(contextLength, pages * BlockHasher.BLOCK + 1);
        if (session != null && expected.mode != TurnMode.ASIDE) {
          most = Math.min(most, capacity(session.settings));
        }
        assertThat(length)
            .isEqualTo(Math.min(most, expected.prompt.size() + expected.request.maxTokens()));
      }
      if (session != null && session.tree != null) {
        boolean committed = end.reason() != FinishReason.CANCELLED;
        session.tree.end(
            expected.request.requestId(),
            committed ? Optional.of(list(end.completion())) : Optional.empty());
        if (committed) {
          int length = expected.prompt.size() + end.completion().length();
          assertThat(end.committed()).isEqualTo(length);
        }
      } else if (session != null && expected.mode != TurnMode.ASIDE) {
        if (end.reason() != FinishReason.CANCELLED) {
          session.commit(expected.prompt, list(end.completion()));
        }
        assertThat(end.committed()).isEqualTo(session.committed.size());
        assertThat(end.digest()).isEqualTo(digest(session.committed));
      }
    }

    /** Returns the sampled ids that lie wholly before the first stop string, found anew. */
    private static List<Integer> wholeBeforeStop(Expected expected) {
      List<Integer> ids = expected.answer.ids;
      // A token that ends the turn spells nothing, also where the sink failed at it.
      boolean ended = !ids.isEmpty() && expected.request.stop().tokens().contains(ids.getLast());
      int spelled = ids.size() - (ended ? 1 : 0);
      StringBuilder text = new StringBuilder(); // a character a byte
      List<Integer> ends = new ArrayList<>();
      for (int id : ids.subList(0, spelled)) {
        text.append(new String(Rig.SPELLING.of(id), ISO_8859_1));
        ends.add(text.length());
      }
      int firstEnd = Integer.MAX_VALUE;
      int visible = Integer.MAX_VALUE;
      for (String stop : expected.request.stop().strings()) {
        String bytes = new String(stop.getBytes(UTF_8), ISO_8859_1);
        int at = text.indexOf(bytes);
        int end = at + bytes.length();
        if (at >= 0 && (end < firstEnd || (end == firstEnd && at < visible))) {
          firstEnd = end;
          visible = at;
        }
      }
      if (visible == Integer.MAX_VALUE) {
        return ids;
      }
      int count = 0;
      while (count < ends.size() && ends.get(count) <= visible) {
        count++;
      }
      return ids.subList(0, count);
    }

    private void compareSessions() {
      Map<Incarnation, SessionView> views =
          rig.scheduler.sessions().stream()
              .collect(Collectors.toMap(SessionView::incarnation, view -> view));
      assertThat(views).hasSize(lives.size());
      for (SessionModel model : lives) {
        SessionView view = requireNonNull(views.get(model.settings.incarnation()));
        assertThat(view.committed()).isEqualTo(model.held());
        assertThat(view.digest()).isEqualTo(digest(model.committed));
        assertThat(view.resident()).isBetween(0, model.held());
        assertThat(view.running()).isEqualTo(model.busy);
        assertThat(view.closing()).isEqualTo(model.closing);
        assertThat(view.children())
            .isEqualTo(lives.stream().filter(child -> model.equals(child.parent)).count());
        SessionSettings of = model.settings;
        assertThat(rig.scheduler.tokens(of.id(), of.incarnation()).orElseThrow().ids())
            .isEqualTo(tokens(model.committed));
      }
    }

    private TurnRequest request(Optional<SessionTurn> session, List<Integer> input) {
      List<String> stops =
          random.nextInt(3) == 0
              ? List.of(
                  List.of("ab", "cabc", "é", "bb", "€", "hab").get(random.nextInt(6)),
                  List.of("aab", "dd", "fg", "cde").get(random.nextInt(4)))
              : List.of();
      Set<Integer> stopTokens =
          random.nextInt(3) == 0 ? Set.of(Rig.END_OF_TURN, random.nextInt(22)) : Set.of();
      SamplingParameters sampling =
          random.nextBoolean()
              ? SamplingParameters.GREEDY
              : new SamplingParameters(
                  random.nextFloat() * 2,
                  random.nextInt(5),
                  0.5f + random.nextFloat() / 2,
                  0,
                  random.nextLong(),
                  0);
      AgentHints hints =
          new AgentHints(
              random.nextInt(3) == 0 ? random.nextInt(31) - 5 : 0,
              random.nextInt(4) == 0 ? OptionalInt.of(random.nextInt(60)) : OptionalInt.empty(),
              random.nextInt(4) == 0
                  ? Optional.of(Duration.ofSeconds(random.nextInt(30)))
                  : Optional.empty());
      return new TurnRequest(
          "request-" + requests++,
          Namespace.DEFAULT,
          session,
          tokens(input),
          1 + random.nextInt(40),
          sampling,
          new StopRules(stops, stopTokens),
          OptionalInt.of(0),
          hints);
    }

    /** Returns a full prompt: repeating, going on, cut short, or going another way. */
    private List<Integer> full(List<Integer> committed) {
      if (random.nextInt(8) == 0) {
        List<Integer> other = new ArrayList<>(prefixes.get(random.nextInt(prefixes.size())));
        other.addAll(ids(random.nextInt(10)));
        return other;
      }
      int keep = random.nextInt(3) == 0 ? random.nextInt(committed.size() + 1) : committed.size();
      List<Integer> prompt = new ArrayList<>(committed.subList(0, keep));
      prompt.addAll(ids(random.nextInt(30)));
      return prompt;
    }

    private List<Integer> ids(int count) {
      return IntStream.range(0, count).mapToObj(i -> random.nextInt(Rig.VOCABULARY)).toList();
    }

    private String name() {
      return "s" + random.nextInt(4);
    }

    private long now() {
      return rig.clock.nanos();
    }

    @Override
    public String toString() {
      return "world "
          + seed
          + " with "
          + pages
          + " pages and a context of "
          + contextLength
          + ", operation "
          + operations;
    }
  }

  private static int common(List<Integer> a, List<Integer> b) {
    int i = 0;
    while (i < a.size() && i < b.size() && a.get(i).equals(b.get(i))) {
      i++;
    }
    return i;
  }

  private static long digest(List<Integer> ids) {
    Tokens tokens = tokens(ids);
    BlockHasher hasher = new BlockHasher(Namespace.DEFAULT.seed());
    long[] chain = hasher.chain(tokens);
    return hasher.digest(
        chain.length == 0 ? 0 : chain[chain.length - 1],
        tokens.from(chain.length * BlockHasher.BLOCK));
  }

  private static Tokens tokens(List<Integer> ids) {
    return Tokens.of(ids.stream().mapToInt(Integer::intValue).toArray());
  }

  private static List<Integer> list(Tokens tokens) {
    return tokens.stream().boxed().toList();
  }

  private static String code(Fault fault) {
    return switch (fault) {
      case Fault.Conflict conflict -> conflict.code();
      case Fault.NotFound notFound -> notFound.code();
      case Fault.InvalidRequest invalid -> invalid.param().orElse("");
      default -> fault.toString();
    };
  }
}
