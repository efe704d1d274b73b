package dev.sojourn.engine.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sojourn.core.CloseResult;
import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.Opened;
import dev.sojourn.core.Parent;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionControl.OnDivergence;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionSettings;
import dev.sojourn.core.Tenant;
import dev.sojourn.core.Tokens;
import dev.sojourn.core.TurnMode;
import dev.sojourn.engine.EngineStats;
import dev.sojourn.engine.RecordedAnswer;
import dev.sojourn.engine.SessionTurn;
import dev.sojourn.engine.StopRules;
import dev.sojourn.engine.TurnRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

/** Sessions that are started from others. */
class FamilyTest {

  @Test
  void fork_sharesItsParentsPages_andLeavesTheParentAlone() {
    Rig rig = new Rig(64);
    SessionSettings main = rig.open("main", 1);
    rig.run(rig.delta(main, Rig.ids(0, 40), 8));
    long digest = rig.view(main).digest();
    int held = 64 - rig.scheduler.stats().free();

    SessionSettings settings = Rig.childOf(main, "child", 2, true);
    assertThat(rig.scheduler.open(settings)).isEqualTo(new Opened(48, 47, digest));
    assertThat(64 - rig.scheduler.stats().free()).isEqualTo(held + 1); // the unfinished page
    TurnRequest turn = rig.delta(settings, Rig.ids(7, 16), 8);
    RecordedAnswer answer = rig.run(turn);
    assertThat(answer.start().mode()).isEqualTo(TurnMode.FORK);
    assertThat(answer.start().reusedTokens()).isEqualTo(47);
    Rig.assertSameAsStateless(turn, answer);
    assertThat(rig.run(rig.delta(settings, Rig.ids(3, 3), 2)).start().mode())
        .isEqualTo(TurnMode.APPEND);
    assertThat(rig.view(main).digest()).isEqualTo(digest);
    assertThat(rig.view(main).resident()).isEqualTo(47);
  }

  @Test
  void fork_againWithTheSameSettings_isTheSame_andWithOtherParentsAConflict() {
    Rig rig = new Rig(64);
    SessionSettings main = rig.open("main", 1);
    rig.run(rig.delta(main, Rig.ids(0, 40), 8));
    long digest = rig.view(main).digest();
    SessionSettings child = rig.fork(main, "child", 2);
    rig.run(rig.delta(main, Rig.ids(0, 4), 4));
    assertThat(rig.scheduler.open(child)).isEqualTo(new Opened(48, 47, digest));
    assertThatThrownBy(() -> rig.scheduler.open(Rig.settings("child", 2)))
        .hasMessageContaining("a fork of main");
    assertThat(rig.scheduler.sessions()).hasSize(2);
  }

  @Test
  void fork_ofAnUnknownOrOlderParent_isRefused_butANeighbourMayBeMissing() {
    Rig rig = new Rig(64);
    SessionSettings main = rig.open("main", 1);
    assertThat(faultOf(rig, Rig.childOf(Rig.settings("nobody", 1), "child", 2, true)))
        .isInstanceOfSatisfying(
            Fault.NotFound.class, fault -> assertThat(fault.code()).isEqualTo("parent_not_found"));
    assertThat(faultOf(rig, Rig.childOf(Rig.settings("main", 7), "child", 2, true)))
        .isInstanceOfSatisfying(
            Fault.Conflict.class, fault -> assertThat(fault.code()).isEqualTo("stale_incarnation"));
    assertThat(rig.scheduler.sessions()).hasSize(1);
    rig.scheduler.open(Rig.childOf(Rig.settings("nobody", 1), "one", 3, false));
    rig.scheduler.open(Rig.childOf(Rig.settings("main", 7), "two", 4, false));
    assertThat(rig.scheduler.sessions()).hasSize(3);
    SessionId elsewhere = new SessionId(new Tenant("other"), "main");
    assertThatThrownBy(
            () -> Rig.settings("x", 5).withParent(new Parent(elsewhere, main.incarnation(), true)))
        .hasMessageContaining("another tenant");
  }

  @Test
  void fork_thatMayHoldNoMoreThanItsParent_isRefused_andLeavesNothing() {
    Rig rig = new Rig(64);
    SessionSettings main = rig.open("main", 1);
    rig.run(rig.delta(main, Rig.ids(0, 40), 8));
    EngineStats before = rig.scheduler.stats();
    SessionSettings full = Rig.childOf(main, "child", 2, true).withCapacity(48);
    assertThat(faultOf(rig, full))
        .isInstanceOfSatisfying(
            Fault.InvalidRequest.class,
            fault -> {
              assertThat(fault.param()).contains("capacity");
              assertThat(fault.message()).contains("its 48 tokens", "capacity of 48");
            });
    assertThat(rig.scheduler.stats()).isEqualTo(before);
    assertThat(rig.scheduler.open(Rig.childOf(main, "child", 2, true).withCapacity(49)).committed())
        .isEqualTo(48);
    // A neighbour begins with nothing.
    assertThat(rig.scheduler.open(Rig.childOf(main, "other", 3, false).withCapacity(8)).committed())
        .isZero();
  }

  @Test
  void fork_whileItsParentRuns_hasItsLastCommit() {
    Rig rig = new Rig(64);
    SessionSettings main = rig.open("main", 1);
    rig.run(rig.delta(main, Rig.ids(0, 40), 8));
    Tokens committed = rig.scheduler.committed(main.id());
    TurnRequest going = rig.delta(main, Rig.ids(7, 30), 20);
    RecordedAnswer goingAnswer = rig.submit(going);
    SessionSettings early = rig.fork(main, "early", 2); // while the turn waits
    rig.step();
    SessionSettings late = rig.fork(main, "late", 3);
    for (SessionSettings child : List.of(early, late)) {
      assertThat(rig.scheduler.committed(child.id())).isEqualTo(committed);
      TurnRequest turn = rig.delta(child, Rig.ids(90, 5), 6);
      Rig.assertSameAsStateless(turn, rig.run(turn));
    }
    rig.drain();
    Rig.assertSameAsStateless(going, goingAnswer);
  }

  @Test
  void fork_ofItsOwnOlderLife_takesItsPlace() {
    Rig rig = new Rig(64);
    SessionSettings old = rig.open("main", 1);
    rig.run(rig.delta(old, Rig.ids(0, 40), 8));
    SessionSettings reborn = rig.fork(old, "main", 2);
    assertThat(rig.scheduler.sessions())
        .singleElement()
        .satisfies(view -> {
          assertThat(view.incarnation()).isEqualTo(new Incarnation(2));
          assertThat(view.resident()).isEqualTo(47);
        });
    TurnRequest turn = rig.delta(reborn, Rig.ids(90, 5), 6);
    Rig.assertSameAsStateless(turn, rig.run(turn));
  }

  /** Dynamo PR 7665: a close freed KV that others were still on. */
  @Test
  void race05_parentClosedWhileForked_childKeepsWhatItShares() {
    Rig rig = new Rig(64);
    SessionSettings main = rig.open("main", 1);
    rig.run(rig.delta(main, Rig.ids(0, 40), 8));
    SessionSettings child = rig.fork(main, "child", 2);
    TurnRequest turn = rig.delta(child, Rig.ids(90, 5), 20);
    RecordedAnswer answer = rig.submit(turn);
    rig.step();
    assertThat(rig.close(main, OnClose.FREE).join()).isEqualTo(new CloseResult(true, 15));
    rig.verify();
    rig.drain();
    Rig.assertSameAsStateless(turn, answer);
    assertThat(rig.view(child).resident()).isEqualTo(48 + 5 + 19);
  }

  /** SGLang #27024: a close between turns ended the engine. */
  @Test
  void race17_closeBetweenTurnsWhilePagesAreShared_countsStayRight() {
    for (int order = 0; order < 6; order++) {
      Rig rig = new Rig(64);
      SessionSettings main = rig.open("main", 1);
      rig.run(rig.delta(main, Rig.ids(0, 40), 8));
      SessionSettings twin = rig.open("twin", 2);
      rig.run(rig.delta(twin, Rig.ids(0, 40), 8));
      SessionSettings child = rig.fork(main, "child", 3);
      rig.run(rig.delta(child, Rig.ids(0, 20), 8));
      List<SessionSettings> left = new ArrayList<>(List.of(main, twin, child));
      for (int choice : new int[] {order / 2, order % 2, 0}) {
        rig.close(left.remove(choice), OnClose.FREE).join();
        rig.verify();
      }
      EngineStats stats = rig.scheduler.stats();
      assertThat(stats.free() + stats.cached()).isEqualTo(64);
      assertThat(stats.leased() + stats.inUse()).isZero();
    }
  }

  @Test
  void promptThatSharesNothing_ofASessionThatRestarts_isItsNewBeginning() {
    Rig rig = new Rig(64);
    SessionSettings session = rig.open("agent", 1);
    rig.run(rig.full(session, Rig.ids(0, 40), 8));
    Tokens other = Rig.ids(0, 25).concat(Rig.ids(77, 20));
    SessionTurn restarting =
        new SessionTurn(
            session.id(),
            session.incarnation(),
            Input.FULL,
            OptionalInt.empty(),
            OptionalLong.empty(),
            OnDivergence.REWIND,
            30,
            true,
            Optional.empty());
    TurnRequest turn = rig.request(Optional.of(restarting), other, 8, StopRules.NONE);
    RecordedAnswer answer = rig.run(turn);
    assertThat(answer.start().mode()).isEqualTo(TurnMode.REWIND);
    assertThat(answer.start().reusedTokens()).isEqualTo(25);
    assertThat(answer.end().committed()).isEqualTo(53);
    assertThat(rig.scheduler.committed(session.id()).slice(0, 45)).isEqualTo(other);
    Rig.assertSameAsStateless(turn, answer);
  }

  @Test
  void mainAgentWaitingForItsSubagents_isNotEvictedFirst() {
    Rig rig = new Rig(40);
    SessionSettings main = rig.open("main", 1);
    rig.run(rig.delta(main, Rig.ids(0, 300), 1));
    List<SessionSettings> subagents = children(rig, main, 3);
    assertThat(rig.view(main).children()).isEqualTo(3);
    for (int round = 0; round < 4; round++) {
      for (int i = 0; i < 3; i++) {
        TurnRequest turn = rig.delta(subagents.get(i), Rig.ids(1000 * i + 90 * round, 80), 2);
        Rig.assertSameAsStateless(turn, rig.run(turn));
      }
    }
    assertThat(rig.scheduler.stats().evictedPages()).isPositive();
    assertThat(rig.view(main).resident()).isEqualTo(300);
  }

  @Test
  void mainAgent_afterItsLastSubagentClosed_agesAgain() {
    Rig rig = new Rig(40);
    SessionSettings main = rig.open("main", 1);
    rig.run(rig.delta(main, Rig.ids(0, 300), 1));
    for (SessionSettings child : children(rig, main, 2)) {
      rig.run(rig.delta(child, Rig.ids(500, 30), 1));
      rig.close(child, OnClose.FREE).join();
    }
    SessionSettings stranger = rig.open("stranger", 9);
    rig.run(rig.delta(stranger, Rig.ids(2000, 250), 1));
    rig.run(rig.delta(stranger, Rig.ids(3000, 300), 1));
    assertThat(rig.view(stranger).resident()).isEqualTo(551);
    assertThat(rig.view(main).resident()).isLessThan(300);
  }

  private static List<SessionSettings> children(Rig rig, SessionSettings main, int count) {
    List<SessionSettings> children = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      SessionSettings child = Rig.childOf(main, "child" + i, 10 + i, false);
      rig.scheduler.open(child);
      children.add(child);
    }
    return children;
  }

  private static Fault faultOf(Rig rig, SessionSettings settings) {
    try {
      rig.scheduler.open(settings);
    } catch (FaultException e) {
      return e.fault();
    }
    throw new AssertionError("opened " + settings);
  }
}
