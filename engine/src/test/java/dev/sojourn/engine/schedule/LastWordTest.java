package dev.sojourn.engine.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import dev.sojourn.core.Fault;
import dev.sojourn.core.FinishReason;
import dev.sojourn.core.ManualClock;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.SessionKind;
import dev.sojourn.core.SessionSettings;
import dev.sojourn.core.Tokens;
import dev.sojourn.engine.RecordedAnswer;
import dev.sojourn.engine.SessionTurn;
import dev.sojourn.engine.StopRules;
import dev.sojourn.engine.TokenEchoRunner;
import dev.sojourn.engine.TreePlace;
import dev.sojourn.engine.TurnEnd;
import dev.sojourn.engine.TurnRequest;
import dev.sojourn.engine.sample.TopLogprobs;
import java.lang.management.ManagementFactory;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** The end of a turn: whatever fails meanwhile, its sink hears one; and it costs no context. */
class LastWordTest {

  private static final Fault DIED = new Fault.Unavailable("the engine has died");

  private final Rig requests = new Rig(64);

  private boolean failing;
  private final Scheduler scheduler =
      new Scheduler(
          new TokenEchoRunner(Rig.VOCABULARY, 4096, 64),
          Rig.SPELLING,
          Rig.config(4, 256, 8),
          new ManualClock(),
          this::cpu);

  /** Fails once, when asked for statistics. */
  private long cpu() {
    if (failing) {
      failing = false;
      throw new IllegalStateException("told to fail");
    }
    return 0;
  }

  private void step() {
    var _ = scheduler.step();
  }

  @Test
  void turn_inWhoseEndTheBooksFail_hearsOfThat() {
    RecordedAnswer answer =
        new RecordedAnswer() {
          @Override
          public void token(int id, float logprob, TopLogprobs top, int visibleBytes) {
            super.token(id, logprob, top, visibleBytes);
            failing = true;
          }
        };
    scheduler.submit(requests.stateless(Rig.ids(0, 20), 1), answer);
    assertThatThrownBy(this::step).hasMessage("told to fail");
    assertThat(answer.isOver()).isFalse();
    scheduler.abandon(DIED);
    assertThat(answer.fault()).isEqualTo(DIED);
  }

  @Test
  void turn_whoseSinkDiesOfItsEnd_hearsOfThat_andTheOthersDoToo() {
    RecordedAnswer answer =
        new RecordedAnswer() {
          @Override
          public void finished(TurnEnd end) {
            throw new OutOfMemoryError("told to fail");
          }
        };
    RecordedAnswer deaf =
        new RecordedAnswer() {
          @Override
          public void failed(Fault fault) {
            super.failed(fault);
            throw new OutOfMemoryError("told to fail");
          }
        };
    RecordedAnswer other = new RecordedAnswer();
    scheduler.submit(requests.stateless(Rig.ids(0, 20), 1), answer);
    scheduler.submit(requests.stateless(Rig.ids(0, 20), 9), deaf);
    scheduler.submit(requests.stateless(Rig.ids(0, 20), 9), other);
    assertThatThrownBy(this::step).isInstanceOf(OutOfMemoryError.class);
    scheduler.abandon(DIED);
    assertThat(answer.fault()).isEqualTo(DIED);
    assertThat(deaf.fault()).isEqualTo(DIED);
    assertThat(other.fault()).isEqualTo(DIED);
    assertThat(scheduler.stats().running()).isZero();
  }

  @Test
  void turn_whoseSinkCancelsItWhenItHearsOfItsEnd_endsOnce() {
    TurnRequest request = requests.stateless(Rig.ids(0, 20), 1);
    RecordedAnswer answer =
        new RecordedAnswer() {
          @Override
          public void finished(TurnEnd end) {
            super.finished(end);
            scheduler.cancel(request.requestId());
          }
        };
    scheduler.submit(request, answer);
    step();
    assertThat(answer.end().reason()).isEqualTo(FinishReason.LENGTH);
    scheduler.check();
  }

  @Test
  void turn_thatTakesThePlaceOfAnother_whileTheBooksFail_hearsOfThat_asTheOtherDoes() {
    SessionSettings tree = Rig.settings("tree", 1).withKind(SessionKind.REGULAR);
    scheduler.open(tree);
    TurnRequest first = inTree(tree, Optional.empty());
    RecordedAnswer replaced = new RecordedAnswer();
    scheduler.submit(first, replaced);
    RecordedAnswer replacing = new RecordedAnswer();
    failing = true;
    TurnRequest second = inTree(tree, Optional.of(first.requestId()));
    assertThatThrownBy(() -> scheduler.submit(second, replacing)).hasMessage("told to fail");
    assertThat(replacing.fault())
        .isEqualTo(new Fault.Internal("the turn could not be taken: IllegalStateException"));
    scheduler.abandon(DIED);
    assertThat(replaced.fault()).isEqualTo(DIED);
  }

  private TurnRequest inTree(SessionSettings tree, Optional<String> base) {
    TreePlace place = new TreePlace(base, base.isPresent(), false, 0);
    return requests.request(
        Optional.of(SessionTurn.at(place, tree.id(), tree.incarnation())),
        Rig.ids(0, 20),
        9,
        StopRules.NONE);
  }

  @Test
  void stopString_costsTheNextTurnNoCopyOfTheContext() {
    int length = 20_000;
    Rig rig = new Rig(2000, 2 * length, Rig.config(4, 256, 8));
    SessionSettings session = rig.open("agent", 1);
    run(rig, rig.delta(session, Rig.ids(0, length), 4));
    run(rig, rig.delta(session, Rig.ids(3, 16), 4)); // makes room for all that follows
    StopRules anyLetter =
        new StopRules(
            List.of("a", "b", "c", "d", "e", "f", "g", "h", " ", "é", "€", "2"), Set.of());
    Optional<SessionTurn> delta = Optional.of(Rig.turn(session, Input.DELTA, 0));
    for (int warm = 0; warm < 2; warm++) {
      RecordedAnswer stopped = run(rig, rig.request(delta, Rig.ids(5, 16), 4, anyLetter));
      assertThat(stopped.end().stopString()).isPresent();
      run(rig, rig.delta(session, Rig.ids(3, 16), 4));
    }
    TurnRequest next = rig.request(delta, Rig.ids(5, 16), 4, anyLetter);
    assertThat(run(rig, next).end().stopString()).isPresent();
    TurnRequest last = rig.delta(session, Rig.ids(5, 16), 4);
    RecordedAnswer answer = new RecordedAnswer();
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long before = threads.getCurrentThreadAllocatedBytes();
    rig.scheduler.submit(last, answer);
    while (!answer.isOver()) {
      var _ = rig.scheduler.step();
    }
    long allocated = threads.getCurrentThreadAllocatedBytes() - before;
    Tokens prompt = answer.end().prompt();
    assertThat(prompt.length()).isGreaterThan(length);
    assertThat(allocated).as("bytes").isLessThan(4L * length);
  }

  /** Runs a turn without a check after each step, which would take its time. */
  private static RecordedAnswer run(Rig rig, TurnRequest request) {
    RecordedAnswer answer = rig.submit(request);
    while (!answer.isOver()) {
      var _ = rig.scheduler.step();
    }
    return answer;
  }
}
