package dev.sojourn.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class IdentityTest {

  @Test
  void sessionName_isMeasuredInBytes() {
    assertThat(new SessionId(Tenant.DEFAULT, "é".repeat(128)).name()).hasSize(128);
    assertThatThrownBy(() -> new SessionId(Tenant.DEFAULT, "é".repeat(128) + "x"))
        .hasMessage("a session name has 1 to 256 bytes, this one has 257");
    assertThatThrownBy(() -> new SessionId(Tenant.DEFAULT, ""))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void sessions_ofTwoTenants_areTwo() {
    assertThat(new SessionId(new Tenant("a"), "s"))
        .isNotEqualTo(new SessionId(new Tenant("b"), "s"));
  }

  @Test
  void incarnation_isReadAsItIsWritten() {
    Incarnation incarnation = new Incarnation(-3);
    assertThat(incarnation).hasToString("fffffffffffffffd");
    assertThat(Incarnation.parse("fffffffffffffffd")).isEqualTo(incarnation);
  }

  @Test
  void rankZero_isARank() {
    WorkerRank zero = new WorkerRank(new WorkerId("w"), 0);
    assertThat(zero).hasToString("w/0").isLessThan(new WorkerRank(new WorkerId("w"), 1));
    assertThatThrownBy(() -> new WorkerRank(new WorkerId("w"), -1))
        .hasMessage("a rank is at least 0, not -1");
  }

  @Test
  void sessionTimeout_outsideItsBounds_namesThem() {
    SessionControl.Builder turn =
        SessionControl.builder(new SessionId(Tenant.DEFAULT, "s"), SessionControl.Action.OPEN);
    assertThat(turn.build().timeout()).isEqualTo(Duration.ofMinutes(5));
    assertThatThrownBy(() -> turn.timeout(Duration.ZERO).build())
        .hasMessage("a session timeout is 1 to 31536000 seconds, not 0");
  }

  @Test
  void manualClock_standsStillUntilTurned() {
    ManualClock clock = new ManualClock();
    long before = clock.nanos();
    clock.advance(Duration.ofSeconds(2));
    assertThat(clock.nanos() - before).isEqualTo(2_000_000_000L);
    assertThat(clock.now()).hasToString("1970-01-01T00:00:02Z");
  }
}
