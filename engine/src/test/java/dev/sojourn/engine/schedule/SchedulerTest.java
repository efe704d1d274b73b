package dev.sojourn.engine.schedule;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.CloseResult;
import dev.sojourn.core.FinishReason;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionSettings;
import dev.sojourn.core.TurnMode;
import dev.sojourn.engine.RecordedAnswer;
import dev.sojourn.engine.TurnRequest;
import org.junit.jupiter.api.Test;

class SchedulerTest {

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

    CloseResult closed = rig.close(session, OnClose.FREE).join();
    assertThat(closed).isEqualTo(new CloseResult(true, 71));
    assertThat(rig.scheduler.stats().free()).isEqualTo(64);
  }
}
