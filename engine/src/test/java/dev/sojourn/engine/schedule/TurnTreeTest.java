package dev.sojourn.engine.schedule;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.Fault;
import dev.sojourn.core.FinishReason;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionKind;
import dev.sojourn.core.SessionSettings;
import dev.sojourn.core.Tokens;
import dev.sojourn.core.TurnMode;
import dev.sojourn.engine.EngineStats;
import dev.sojourn.engine.RecordedAnswer;
import dev.sojourn.engine.SessionTurn;
import dev.sojourn.engine.StopRules;
import dev.sojourn.engine.TreePlace;
import dev.sojourn.engine.TurnEnd;
import dev.sojourn.engine.TurnRequest;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Regular sessions: each turn goes on from any earlier one. */
class TurnTreeTest {

  private static final int PAGES = 64;
  private static final String UNKNOWN = "Invalid request session id";
  private static final String UNFINISHED =
      "Session request is appending to a request that hasn't finished.";

  private final Rig rig = new Rig(PAGES, Rig.config(4, 256, 1));
  private final SessionSettings tree = Rig.settings("tree", 1).withKind(SessionKind.REGULAR);

  TurnTreeTest() {
    rig.scheduler.open(tree);
  }

  @AfterEach
  void closed_holdsNothing() {
    rig.drain();
    rig.close(tree, OnClose.FREE).join();
    rig.verify();
    EngineStats stats = rig.scheduler.stats();
    assertThat(stats.free() + stats.cached()).isEqualTo(PAGES);
  }

  /** A turn that was submitted. */
  private record Asked(TurnRequest request, RecordedAnswer answer) {

    String id() {
      return request.requestId();
    }

    Tokens prompt() {
      return answer.end().prompt();
    }

    /** Returns prompt and answer. */
    Tokens whole() {
      return prompt().concat(answer.end().completion());
    }
  }

  private static TreePlace root() {
    return new TreePlace(Optional.empty(), false, false, 0);
  }

  private static TreePlace after(Asked base) {
    return new TreePlace(Optional.of(base.id()), false, false, 0);
  }

  private static TreePlace cut(Asked base, int offset) {
    return new TreePlace(Optional.of(base.id()), false, false, offset);
  }

  private static TreePlace replacing(Asked base, int offset) {
    return new TreePlace(Optional.of(base.id()), true, false, offset);
  }

  private static TreePlace again(Asked base) {
    return new TreePlace(Optional.of(base.id()), false, true, 0);
  }

  private TurnRequest request(TreePlace place, Tokens input, int maxTokens) {
    return rig.request(
        Optional.of(SessionTurn.at(place, tree.id(), tree.incarnation())),
        input,
        maxTokens,
        StopRules.NONE);
  }

  private Asked submit(TreePlace place, Tokens input, int maxTokens) {
    TurnRequest request = request(place, input, maxTokens);
    return new Asked(request, rig.submit(request));
  }

  /** Runs a turn, and compares it with a stateless run over {@code before} and its input. */
  private Asked run(TreePlace place, Tokens before, Tokens input, int maxTokens) {
    Asked asked = submit(place, input, maxTokens);
    while (!asked.answer.isOver()) {
      rig.step();
    }
    check(asked, before, input);
    return asked;
  }

  private static void check(Asked asked, Tokens before, Tokens input) {
    assertThat(asked.prompt()).isEqualTo(before.concat(input));
    Rig.assertSameAsStateless(asked.request, asked.answer);
  }

  private Asked begin() {
    return run(root(), Tokens.EMPTY, Rig.ids(0, 37), 6);
  }

  private void assertRefused(TreePlace place, String why) {
    Asked asked = submit(place, Rig.ids(1, 3), 4);
    assertThat(asked.answer.accepted).isFalse();
    assertThat(asked.answer.fault()).isInstanceOf(Fault.InvalidRequest.class);
    assertThat(asked.answer.fault().message()).isEqualTo(why);
  }

  @Test
  void chain_thatDropsTheLastTokenOfEachTurn_isOneBranchAndReusesTheRest() {
    Asked last = begin();
    Tokens whole = last.whole();
    for (int i = 1; i < 12; i++) {
      Tokens before = whole.slice(0, whole.length() - 1);
      last = run(replacing(last, -1), before, Rig.ids(i, 9), 7);
      assertThat(last.answer.start().reusedTokens()).isEqualTo(before.length());
      whole = last.whole();
      assertThat(rig.view(tree).turns()).isEqualTo(i + 1);
    }
    // What is cut off belongs to its turn all the same; nothing else is held twice.
    assertThat(rig.view(tree).committed()).isEqualTo(whole.length() + 11);
    assertThat(rig.view(tree).resident()).isEqualTo(whole.length() - 1);
  }

  @Test
  void chain_thatAppends_reusesAllButTheLastToken() {
    Asked last = begin();
    for (int i = 1; i < 5; i++) {
      Tokens before = last.whole();
      last = run(after(last), before, Rig.ids(i, 5), 5);
      assertThat(last.answer.start().mode()).isEqualTo(TurnMode.APPEND);
      assertThat(last.answer.start().reusedTokens()).isEqualTo(before.length() - 1);
    }
    assertThat(rig.view(tree).committed()).isEqualTo(last.whole().length());
  }

  @Test
  void branches_ofOneTurn_shareWhatIsBeforeThem() {
    Asked root = begin();
    Asked one = run(after(root), root.whole(), Rig.ids(3, 8), 5);
    Asked two = run(after(root), root.whole(), Rig.ids(9, 8), 5);
    assertThat(one.answer.start().mode()).isEqualTo(TurnMode.APPEND);
    assertThat(two.answer.start().mode()).isEqualTo(TurnMode.FORK);
    assertThat(two.answer.start().reusedTokens()).isEqualTo(root.whole().length());
    Asked oneMore = run(after(one), one.whole(), Rig.ids(4, 8), 5);
    Asked twoMore = run(after(two), two.whole(), Rig.ids(5, 8), 5);
    assertThat(oneMore.answer.start().reusedTokens()).isEqualTo(one.whole().length() - 1);
    assertThat(twoMore.answer.start().reusedTokens()).isEqualTo(two.whole().length() - 1);
    int rest = root.whole().length();
    assertThat(rig.view(tree).committed())
        .isEqualTo(rest + oneMore.whole().length() - rest + twoMore.whole().length() - rest);
  }

  @Test
  void resident_countsWhatBranchesShareOnce() {
    Asked root = begin();
    Tokens before = root.whole().slice(0, 32);
    run(cut(root, 32), before, Rig.ids(3, 20), 5);
    run(cut(root, 32), before, Rig.ids(9, 20), 5);
    assertThat(rig.view(tree).committed()).isEqualTo(43 + 25 + 25);
    assertThat(rig.view(tree).resident()).isEqualTo(32 + 24 + 24);
  }

  @Test
  void regenerated_turn_goesOnFromItsPrompt_andStaysATurn() {
    Asked root = begin();
    Asked other = run(again(root), root.prompt(), Rig.ids(3, 4), 5);
    assertThat(other.answer.start().reusedTokens()).isEqualTo(root.prompt().length());
    Asked onward = run(after(root), root.whole(), Rig.ids(7, 4), 5);
    assertThat(onward.answer.start().mode()).isEqualTo(TurnMode.FORK);
    run(after(onward), onward.whole(), Rig.ids(2, 4), 5);
    run(after(other), other.whole(), Rig.ids(2, 4), 5);
    // Its prompt alone is asked again: the same answer.
    Asked same = run(again(root), root.prompt(), Tokens.EMPTY, 6);
    assertThat(same.answer.ids).isEqualTo(root.answer.ids);
  }

  @Test
  void offset_cutsAsPythonDoes() {
    Asked root = begin();
    Asked more = run(after(root), root.whole(), Rig.ids(3, 20), 5);
    Tokens whole = more.whole();
    for (int offset : new int[] {1, 16, 20, 32, 50, whole.length(), whole.length() + 9}) {
      run(cut(more, offset), whole.slice(0, Math.min(offset, whole.length())), Rig.ids(8, 5), 3);
    }
    for (int offset : new int[] {1, 16, 20, whole.length(), whole.length() + 9}) {
      Tokens before = whole.slice(0, Math.max(0, whole.length() - offset));
      run(cut(more, -offset), before, Rig.ids(8, 5), 3);
    }
    run(after(more), whole, Rig.ids(8, 5), 3);
  }

  @Test
  void backtracking_dropsAllThatFollows_andTheirIdsNameNothing() {
    Asked root = begin();
    Asked one = run(after(root), root.whole(), Rig.ids(3, 8), 5);
    Asked below = run(after(one), one.whole(), Rig.ids(3, 8), 5);
    Asked two = run(after(root), root.whole(), Rig.ids(9, 8), 5);
    Asked anew = run(replacing(root, -1), root.whole().slice(0, 42), Rig.ids(2, 8), 5);
    assertThat(anew.answer.start().mode()).isEqualTo(TurnMode.REWIND);
    for (Asked gone : List.of(one, below, two)) {
      assertRefused(after(gone), UNKNOWN);
      assertRefused(replacing(gone, 0), UNKNOWN);
    }
    run(after(anew), anew.whole(), Rig.ids(3, 3), 3);
    run(after(root), root.whole(), Rig.ids(4, 3), 3);
    Asked all =
        run(new TreePlace(Optional.empty(), true, false, 0), Tokens.EMPTY, Rig.ids(5, 20), 4);
    assertRefused(after(root), UNKNOWN);
    assertThat(rig.view(tree).committed()).isEqualTo(all.whole().length());
  }

  @Test
  void abortedTurn_isNone_andLeavesItsSiblings() {
    Asked root = begin();
    Asked one = run(after(root), root.whole(), Rig.ids(3, 8), 5);
    for (TreePlace place : List.of(after(root), after(one), again(one), replacing(one, -3))) {
      Asked aborted = submit(place, Rig.ids(11, 30), 20);
      rig.step();
      rig.step();
      rig.scheduler.cancel(aborted.id());
      rig.verify();
      assertThat(aborted.answer.end().reason()).isEqualTo(FinishReason.CANCELLED);
      assertRefused(after(aborted), UNKNOWN);
    }
    run(after(one), one.whole(), Rig.ids(3, 4), 5);
    run(after(root), root.whole(), Rig.ids(3, 4), 5);
  }

  @Test
  void branches_decodeSideBySide() {
    Asked root = begin();
    Asked one = submit(after(root), Rig.ids(3, 8), 20);
    Asked two = submit(after(root), Rig.ids(9, 8), 20);
    Asked other = submit(root(), Rig.ids(5, 40), 20);
    rig.step();
    rig.step();
    assertThat(rig.scheduler.stats().running()).isEqualTo(3);
    assertThat(rig.view(tree).running()).isTrue();
    assertRefused(after(one), UNFINISHED);
    rig.drain();
    check(one, root.whole(), Rig.ids(3, 8));
    check(two, root.whole(), Rig.ids(9, 8));
    check(other, Tokens.EMPTY, Rig.ids(5, 40));
    assertThat(rig.view(tree).running()).isFalse();
  }

  @Test
  void replace_ofARunningTurn_endsIt_andGoesOnFromItsPrompt() {
    Asked root = begin();
    for (int steps : new int[] {0, 1, 4}) {
      Asked first = submit(after(root), Rig.ids(3, 30), 30);
      for (int i = 0; i < steps; i++) {
        rig.step();
      }
      Asked second = submit(replacing(first, 50), Rig.ids(8, 10), 6);
      assertThat(first.answer.end().reason()).isEqualTo(FinishReason.CANCELLED);
      rig.drain();
      Tokens prompt = root.whole().concat(Rig.ids(3, 30));
      check(second, prompt.slice(0, 50), Rig.ids(8, 10));
      run(after(first), prompt, Rig.ids(2, 4), 4);
    }
  }

  @Test
  void replace_endsRunningTurnsOfWhatItDrops() {
    Asked root = begin();
    Asked one = run(after(root), root.whole(), Rig.ids(3, 8), 5);
    Asked running = submit(after(one), Rig.ids(9, 8), 20);
    Asked waiting = submit(after(root), Rig.ids(1, 8), 20);
    rig.step();
    Asked anew = submit(replacing(root, 0), Rig.ids(2, 8), 5);
    assertThat(running.answer.end().reason()).isEqualTo(FinishReason.CANCELLED);
    assertThat(waiting.answer.end().reason()).isEqualTo(FinishReason.CANCELLED);
    rig.drain();
    check(anew, root.whole(), Rig.ids(2, 8));
    assertRefused(after(one), UNKNOWN);
  }

  @Test
  void close_withATurnRunning_waitsForTheLastOne() {
    Asked root = begin();
    Asked one = submit(after(root), Rig.ids(3, 8), 4);
    Asked two = submit(after(root), Rig.ids(9, 8), 12);
    rig.step();
    var closed = rig.close(tree, OnClose.FREE);
    while (!one.answer.isOver()) {
      rig.step();
    }
    assertThat(closed).isNotDone();
    rig.drain();
    check(two, root.whole(), Rig.ids(9, 8));
    assertThat(closed.join().existed()).isTrue();
    assertThat(rig.scheduler.sessions()).isEmpty();
  }

  @Test
  void idleTime_countsFromTheEndOfTheLastTurn() {
    Asked root = begin();
    Asked one = submit(after(root), Rig.ids(3, 8), 4);
    Asked two = submit(after(root), Rig.ids(9, 8), 12);
    while (!one.answer.isOver()) {
      rig.step();
    }
    rig.clock.advance(tree.timeout().plus(Duration.ofSeconds(1)));
    rig.step();
    assertThat(two.answer.isOver()).isFalse();
    rig.drain();
    assertThat(rig.scheduler.sessions()).hasSize(1);
    rig.clock.advance(tree.timeout());
    rig.step();
    assertThat(rig.scheduler.sessions()).isEmpty();
  }

  @Test
  void evictedTrunk_isComputedAgain() {
    Asked root = begin();
    Asked one = run(after(root), root.whole(), Rig.ids(3, 8), 5);
    Asked two = run(after(root), root.whole(), Rig.ids(9, 8), 5);
    rig.run(rig.stateless(Rig.ids(200, (PAGES - 1) * 16), 1));
    assertThat(rig.view(tree).resident()).isLessThan(root.whole().length());
    run(after(one), one.whole(), Rig.ids(3, 4), 5);
    run(after(two), two.whole(), Rig.ids(3, 4), 5);
  }

  @Test
  void turns_ofOtherSessions_andWithoutAPlace_areRefused() {
    begin();
    RecordedAnswer plain = rig.submit(rig.delta(tree, Rig.ids(1, 3), 4));
    assertThat(plain.fault().message()).contains("is a tree of turns");
    SessionSettings line = rig.open("line", 2);
    TurnRequest placed =
        rig.request(
            Optional.of(SessionTurn.at(root(), line.id(), line.incarnation())),
            Rig.ids(1, 3),
            4,
            StopRules.NONE);
    assertThat(rig.submit(placed).fault().message()).contains("is one conversation");
    assertThat(Rig.turn(tree, Input.FULL, 0).place()).isEmpty();
  }

  @Test
  void capacity_boundsEachWay() {
    SessionSettings small = Rig.settings("small", 3).withKind(SessionKind.REGULAR).withCapacity(50);
    rig.scheduler.open(small);
    SessionTurn anew = SessionTurn.at(root(), small.id(), small.incarnation());
    TurnRequest first = rig.request(Optional.of(anew), Rig.ids(0, 37), 30, StopRules.NONE);
    TurnEnd end = rig.run(first).end();
    assertThat(end.reason()).isEqualTo(FinishReason.LENGTH);
    assertThat(end.committed()).isEqualTo(50);
    TreePlace full = new TreePlace(Optional.of(first.requestId()), true, false, 0);
    SessionTurn more = SessionTurn.at(full, small.id(), small.incarnation());
    TurnRequest tooLong = rig.request(Optional.of(more), Rig.ids(0, 1), 3, StopRules.NONE);
    assertThat(rig.submit(tooLong).fault()).isInstanceOf(Fault.PromptTooLong.class);
    Asked other = begin(); // of another session: refused turns leave nothing behind
    assertThat(rig.run(rig.request(Optional.of(anew), Rig.ids(5, 37), 3, StopRules.NONE)).end())
        .isNotNull();
    assertThat(other.answer.isOver()).isTrue();
    rig.close(small, OnClose.FREE).join();
  }

  @Test
  void branches_areBounded_andReplacingMakesRoom() {
    Asked root = run(root(), Tokens.EMPTY, Rig.ids(0, 3), 1);
    for (int i = 1; i < 256; i++) {
      run(root(), Tokens.EMPTY, Rig.ids(i, 1), 1);
    }
    Asked refused = submit(root(), Rig.ids(1, 3), 4);
    assertThat(refused.answer.fault().message()).contains("256 branches");
    Asked more = run(after(root), root.whole(), Rig.ids(1, 3), 1);
    Asked forked = submit(after(root), Rig.ids(1, 3), 4);
    assertThat(forked.answer.fault().message()).contains("256 branches");
    run(after(more), more.whole(), Rig.ids(1, 3), 1);
    run(new TreePlace(Optional.empty(), true, false, 0), Tokens.EMPTY, Rig.ids(5, 20), 4);
    run(root(), Tokens.EMPTY, Rig.ids(1, 3), 1);
  }

  @Test
  void turns_areBounded() {
    TurnRequest last = request(root(), Rig.ids(0, 3), 1);
    runUnchecked(last);
    for (int i = 1; i < 4096; i++) {
      TreePlace place = new TreePlace(Optional.of(last.requestId()), false, false, -2);
      last = request(place, Rig.ids(i, 1), 1);
      runUnchecked(last);
    }
    Asked refused = submit(root(), Rig.ids(1, 3), 4);
    assertThat(refused.answer.fault().message()).contains("4096 turns");
    assertThat(rig.view(tree).turns()).isEqualTo(4096);
  }

  /** Each leaves what it cuts off its base behind, which needs no page. */
  @Test
  void tails_areBounded_andReplacingMakesRoom() {
    TurnRequest last = request(root(), Rig.ids(0, 900), 1);
    runUnchecked(last);
    int room = 16 * 16 * PAGES;
    for (int held = 901; held + 900 <= room; held += 900) {
      TreePlace place = new TreePlace(Optional.of(last.requestId()), false, false, 1);
      last = request(place, Rig.ids(1, 899), 1);
      runUnchecked(last);
    }
    assertThat(rig.view(tree).turns()).isEqualTo(18);
    TreePlace place = new TreePlace(Optional.of(last.requestId()), false, false, 1);
    Fault fault = rig.submit(request(place, Rig.ids(1, 899), 1)).fault();
    assertThat(fault).isInstanceOf(Fault.InvalidRequest.class);
    assertThat(fault.message()).contains("899 more are beyond the 16384 there may be");
    rig.verify();
    run(new TreePlace(Optional.empty(), true, false, 0), Tokens.EMPTY, Rig.ids(5, 20), 4);
    assertThat(rig.view(tree).committed()).isEqualTo(24);
    begin();
  }

  @Test
  void turnsThatWait_countWithWhatTheyWillHold() {
    for (int i = 0; i < 18; i++) {
      assertThat(submit(root(), Rig.ids(i, 900), 1).answer.accepted).isTrue();
    }
    assertThat(submit(root(), Rig.ids(18, 900), 1).answer.fault().message())
        .contains("has 16200 tokens, and 900 more");
  }

  @Test
  void idOfACommittedTurn_isRefused() {
    Asked first = begin();
    RecordedAnswer again = rig.submit(first.request);
    assertThat(again.fault()).isInstanceOf(Fault.InvalidRequest.class);
    assertThat(again.fault().message()).contains("is a turn of the session already");
    run(after(first), first.whole(), Rig.ids(1, 3), 2);
  }

  private void runUnchecked(TurnRequest request) {
    RecordedAnswer answer = new RecordedAnswer();
    rig.scheduler.submit(request, answer);
    while (!answer.isOver()) {
      rig.scheduler.step();
    }
  }
}
