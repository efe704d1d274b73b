package dev.sojourn.engine.schedule;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.AgentHints;
import dev.sojourn.core.SessionSettings;
import dev.sojourn.core.Tokens;
import dev.sojourn.engine.RecordedAnswer;
import dev.sojourn.engine.TurnRequest;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

/** Turns that take the places of others which share pages with them or with each other. */
class PreemptionTest {

  private static final Tokens PREFIX = Rig.ids(0, 320); // 20 pages

  @Test
  void roomThatAStayingTurnHoldsToo_isNone_andNobodyGivesWayInVain() {
    Rig rig = new Rig(40, Rig.config(8, 512, 8));
    RecordedAnswer main = rig.submit(at(15, rig.stateless(PREFIX.concat(Rig.ids(7, 8)), 40)));
    rig.step();
    RecordedAnswer one = rig.submit(rig.stateless(PREFIX.concat(Rig.ids(50, 8)), 40));
    RecordedAnswer other = rig.submit(rig.stateless(PREFIX.concat(Rig.ids(90, 8)), 40));
    rig.step();
    assertThat(List.of(main, one, other)).allMatch(RecordedAnswer::hasStarted);
    // Without both there would be 19 pages, and not 19 and twice 20.
    TurnRequest urgent = at(20, rig.stateless(Rig.ids(600, 390), 5));
    RecordedAnswer answer = rig.submit(urgent);
    rig.step();
    rig.step();
    assertThat(answer.hasStarted()).isFalse();
    assertThat(rig.scheduler.stats().retractions()).isZero();
    rig.drain();
    assertThat(rig.scheduler.stats().retractions()).isLessThanOrEqualTo(2); // once main has ended
    Rig.assertSameAsStateless(urgent, answer);
    assertThat(List.of(main, one, other)).allMatch(RecordedAnswer::isOver);
  }

  @Test
  void turnThatSharesPagesWithAStayingOne_needsOnlyTheRest_andGetsItAtOnce() {
    Rig rig = new Rig(40, Rig.config(8, 512, 8));
    RecordedAnswer main = rig.submit(at(15, rig.stateless(PREFIX.concat(Rig.ids(7, 8)), 40)));
    rig.step();
    TurnRequest usual = rig.stateless(Rig.ids(900, 150), 40);
    RecordedAnswer usualAnswer = rig.submit(usual);
    rig.step();
    // 31 pages, of which 20 are there; 8 are available, and 11 more without the usual turn.
    TurnRequest urgent = at(20, rig.stateless(PREFIX.concat(Rig.ids(600, 160)), 5));
    RecordedAnswer answer = rig.submit(urgent);
    rig.step();
    assertThat(answer.start().reusedTokens()).isEqualTo(320);
    assertThat(rig.scheduler.stats().retractions()).isEqualTo(1);
    rig.drain();
    assertThat(main.end().retractions()).isZero();
    assertThat(usualAnswer.end().retractions()).isEqualTo(1);
    Rig.assertSameAsStateless(urgent, answer);
    Rig.assertSameAsStateless(usual, usualAnswer);
  }

  @Test
  void onlyAsManyGiveWayAsAreInTheWay_theLastInRankFirst() {
    Rig rig = new Rig(40, Rig.config(8, 512, 8));
    RecordedAnswer first = rig.submit(rig.stateless(Rig.ids(0, 150), 40));
    RecordedAnswer second = rig.submit(rig.stateless(Rig.ids(300, 150), 40));
    RecordedAnswer third = rig.submit(rig.stateless(Rig.ids(600, 150), 40));
    rig.step();
    RecordedAnswer urgent = rig.submit(at(11, rig.stateless(Rig.ids(900, 250), 5)));
    rig.step();
    assertThat(urgent.hasStarted()).isTrue();
    rig.drain();
    assertThat(List.of(first, second, third))
        .extracting(answer -> answer.end().retractions())
        .containsExactly(0, 0, 1);
  }

  /** A turn that rewinds is not begun to see what it shares: that could not be undone. */
  @Test
  void turnThatRewinds_isNotBegunBeforeThereIsRoom_andThenTakesIt() {
    Rig rig = new Rig(40, Rig.config(8, 512, 8));
    SessionSettings session = rig.open("agent", 1);
    rig.run(rig.delta(session, PREFIX, 1));
    rig.run(rig.delta(session, Rig.ids(500, 20), 1));
    TurnRequest usual = rig.stateless(Rig.ids(900, 250), 40);
    RecordedAnswer usualAnswer = rig.submit(usual);
    rig.step();
    Tokens committed = rig.scheduler.committed(session.id());
    TurnRequest slightly =
        at(10, rig.full(session, committed.slice(0, 321).concat(Rig.ids(77, 100)), 5));
    RecordedAnswer waits = rig.submit(slightly);
    rig.step();
    assertThat(waits.hasStarted()).isFalse();
    assertThat(rig.scheduler.committed(session.id())).isEqualTo(committed);
    rig.scheduler.cancel(slightly.requestId());
    TurnRequest urgent =
        at(11, rig.full(session, committed.slice(0, 321).concat(Rig.ids(77, 100)), 5));
    RecordedAnswer answer = rig.submit(urgent);
    rig.step();
    assertThat(answer.hasStarted()).isTrue();
    rig.drain();
    assertThat(usualAnswer.end().retractions()).isEqualTo(1);
    Rig.assertSameAsStateless(urgent, answer);
    Rig.assertSameAsStateless(usual, usualAnswer);
  }

  private static TurnRequest at(int priority, TurnRequest request) {
    return new TurnRequest(
        request.requestId(),
        request.namespace(),
        request.session(),
        request.input(),
        request.maxTokens(),
        request.sampling(),
        request.stop(),
        request.topLogprobs(),
        new AgentHints(priority, OptionalInt.empty(), Optional.empty()));
  }
}
