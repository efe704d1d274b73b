package dev.sojourn.engine.schedule;

import static dev.sojourn.core.BlockHasher.BLOCK;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.LossCause;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionSettings;
import dev.sojourn.core.Tokens;
import dev.sojourn.core.TurnMode;
import dev.sojourn.engine.EngineStats;
import dev.sojourn.engine.RecordedAnswer;
import dev.sojourn.engine.TurnRequest;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A context that is forked: full pages by reference, the rest by copy, or not at all. */
class ForkTest {

  private static final int PAGES = 12;

  /** What the session that is forked is doing. */
  enum Parent {
    /** Nothing. */
    IDLE,
    /** A turn of it has filled and published the page in which its committed tokens end. */
    RUNNING,
    /** It has lost all pages but the first. */
    EVICTED
  }

  @ParameterizedTest
  @EnumSource
  void fork_atEveryOffset_withAndWithoutAFreePage_answersAsStateless(Parent parent) {
    for (int offset = 1; offset <= BLOCK; offset++) {
      for (boolean spare : new boolean[] {false, true}) {
        for (boolean childFirst : new boolean[] {false, true}) {
          fork(parent, offset, spare, childFirst);
        }
      }
    }
  }

  private static void fork(Parent parent, int offset, boolean spare, boolean childFirst) {
    String what = "offset " + offset + ", spare " + spare;
    Rig rig = new Rig(PAGES, Rig.config(4, 256, 1));
    SessionSettings main = rig.open("main", 1);
    rig.run(rig.delta(main, Rig.ids(3, BLOCK + offset - 1), 1));
    int committed = BLOCK + offset;
    int kv = committed - 1;
    TurnRequest going = rig.delta(main, Rig.ids(50, 40 - offset), 20);
    RecordedAnswer goingAnswer = null;
    int used = 2;
    if (parent == Parent.RUNNING) {
      goingAnswer = rig.submit(going);
      rig.step();
      kv = committed;
      used = 4;
    } else if (parent == Parent.EVICTED) {
      rig.run(rig.stateless(Rig.ids(200, (PAGES - 1) * BLOCK), 1));
      kv = BLOCK;
      used = 1;
    } else if (kv == BLOCK) {
      used = 1;
    }
    assertThat(rig.view(main).resident()).as(what).isEqualTo(kv);
    int blocked = PAGES - used - (spare ? 1 : 0);
    TurnRequest blocker = rig.stateless(Rig.ids(400, blocked * BLOCK - 8), 100);
    RecordedAnswer blocking = rig.submit(blocker);
    rig.step();
    assertThat(blocking.ids).as(what).hasSize(1);

    SessionSettings child = rig.fork(main, "child", 2);
    rig.verify();
    int full = kv / BLOCK * BLOCK;
    assertThat(rig.view(child).committed()).isEqualTo(committed);
    assertThat(rig.view(child).digest()).isEqualTo(rig.view(main).digest());
    assertThat(rig.view(child).resident()).as(what).isEqualTo(spare ? kv : full);
    assertThat(rig.view(main).resident()).as(what).isEqualTo(kv);

    rig.scheduler.cancel(blocker.requestId());
    TurnRequest turn = rig.delta(child, Rig.ids(90, 5), 12);
    RecordedAnswer answer = rig.run(turn);
    assertThat(answer.start().mode()).isEqualTo(TurnMode.FORK);
    assertThat(answer.start().reusedTokens()).isGreaterThanOrEqualTo(spare ? kv : full);
    Rig.assertSameAsStateless(turn, answer);
    if (goingAnswer == null) {
      goingAnswer = rig.submit(going);
    }
    rig.drain();
    Rig.assertSameAsStateless(going, goingAnswer);
    assertThat(goingAnswer.end().prompt().slice(0, committed))
        .isEqualTo(answer.end().prompt().slice(0, committed));

    for (SessionSettings session : childFirst ? List.of(child, main) : List.of(main, child)) {
      rig.close(session, OnClose.FREE).join();
      rig.verify();
    }
    EngineStats stats = rig.scheduler.stats();
    assertThat(stats.free() + stats.cached()).isEqualTo(PAGES);
  }

  @Test
  void fork_thenItsParentRewinds_isUnchanged() {
    Rig rig = new Rig(64);
    SessionSettings main = rig.open("main", 1);
    rig.run(rig.full(main, Rig.ids(0, 40), 8));
    Tokens committed = rig.scheduler.committed(main.id());
    SessionSettings child = rig.fork(main, "child", 2);
    TurnRequest again = rig.full(main, Rig.ids(0, 40).concat(Rig.ids(70, 4)), 8);
    assertThat(rig.run(again).start().mode()).isEqualTo(TurnMode.REWIND);

    assertThat(rig.scheduler.committed(child.id())).isEqualTo(committed);
    TurnRequest turn = rig.full(child, committed.concat(Rig.ids(30, 5)), 8);
    RecordedAnswer answer = rig.run(turn);
    assertThat(answer.start().mode()).isEqualTo(TurnMode.FORK);
    assertThat(answer.start().reusedTokens()).isEqualTo(47);
    Rig.assertSameAsStateless(turn, answer);
    // The ends of its parent's messages are the child's, too.
    TurnRequest rewound = rig.full(child, committed.slice(0, 44).concat(Rig.ids(30, 5)), 8);
    answer = rig.run(rewound);
    assertThat(answer.start().mode()).isEqualTo(TurnMode.REWIND);
    Rig.assertSameAsStateless(rewound, answer);
  }

  @Test
  void fork_ofAFork_goesOnFromThere() {
    Rig rig = new Rig(64);
    SessionSettings main = rig.open("main", 1);
    rig.run(rig.delta(main, Rig.ids(0, 40), 8));
    SessionSettings child = rig.fork(main, "child", 2);
    SessionSettings same = rig.fork(child, "same", 3);
    rig.run(rig.delta(child, Rig.ids(7, 16), 8));
    SessionSettings grown = rig.fork(child, "grown", 4);
    rig.close(main, OnClose.FREE).join();
    rig.close(child, OnClose.FREE).join();
    rig.verify();
    assertThat(rig.view(same).resident()).isEqualTo(47);
    assertThat(rig.view(grown).resident()).isEqualTo(71);
    for (SessionSettings session : List.of(same, grown)) {
      TurnRequest turn = rig.delta(session, Rig.ids(5, 6), 6);
      Rig.assertSameAsStateless(turn, rig.run(turn));
    }
  }

  @Test
  void fork_ofAParentWhosePagesWereTaken_tellsThatTheyWereEvicted() {
    Rig rig = new Rig(16);
    SessionSettings main = rig.open("main", 1);
    rig.run(rig.delta(main, Rig.ids(0, 70), 8)); // 78, of which 77 have KV
    rig.run(rig.stateless(Rig.ids(500, 240), 1)); // leaves one page
    assertThat(rig.view(main).resident()).isEqualTo(16);
    SessionSettings child = rig.fork(main, "child", 2);
    RecordedAnswer answer = rig.run(rig.delta(child, Rig.ids(5, 6), 1));
    assertThat(answer.start().mode()).isEqualTo(TurnMode.FORK);
    assertThat(answer.start().reusedTokens()).isEqualTo(16);
    assertThat(answer.start().losses()).isEqualTo(Map.of(LossCause.EVICTED, 61));
    answer = rig.run(rig.delta(child, Rig.ids(5, 6), 1));
    assertThat(answer.start().losses()).isEmpty();
  }

  @Test
  void turnThatIsGivenUp_leavesItToTheNextToTellWhatWasEvicted() {
    Rig rig = new Rig(16);
    SessionSettings main = rig.open("main", 1);
    rig.run(rig.delta(main, Rig.ids(0, 70), 8)); // 78, of which 77 have KV
    rig.run(rig.stateless(Rig.ids(500, 240), 1)); // leaves one page
    TurnRequest gone = rig.delta(main, Rig.ids(9, 150), 8);
    rig.submit(gone);
    rig.scheduler.cancel(gone.requestId());
    rig.drain();
    rig.run(rig.stateless(Rig.ids(500, 240), 1));
    RecordedAnswer answer = rig.run(rig.delta(main, Rig.ids(5, 6), 1));
    int reused = answer.start().reusedTokens();
    assertThat(answer.start().losses()).isEqualTo(Map.of(LossCause.EVICTED, 77 - reused));
    assertThat(answer.start().mode()).isEqualTo(TurnMode.APPEND);
  }
}
