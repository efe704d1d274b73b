package dev.sojourn.server.sessions;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.Incarnation;
import dev.sojourn.core.LossCause;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionKind;
import dev.sojourn.core.Tenant;
import dev.sojourn.core.TurnMode;
import dev.sojourn.core.WorkerId;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.affinity.Binding.Bound;
import dev.sojourn.router.affinity.Terms;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

/** The account of a session through its lives. */
final class LedgerTest {

  private static final SessionId SESSION = new SessionId(Tenant.DEFAULT, "s");
  private static final Incarnation FIRST = new Incarnation(1);
  private static final Incarnation SECOND = new Incarnation(2);

  private final Ledger ledger = new Ledger();

  @Test
  void turns_addUp() {
    ledger.add(SESSION, FIRST, turn(TurnMode.OPENED, 100, 0, Map.of(), 110));
    ledger.add(SESSION, FIRST, turn(TurnMode.APPEND, 130, 80, Map.of(LossCause.EVICTED, 29), 140));
    ledger.add(SESSION, FIRST, turn(TurnMode.ASIDE, 20, 16, Map.of(), 0));
    ledger.add(SESSION, FIRST, turn(TurnMode.APPEND, 150, 100, Map.of(LossCause.EVICTED, 39), 160));
    Account account = ledger.of(SESSION).orElseThrow();
    assertThat(account.turns())
        .isEqualTo(Map.of(TurnMode.OPENED, 1L, TurnMode.APPEND, 2L, TurnMode.ASIDE, 1L));
    assertThat(account.reused()).isEqualTo(196);
    assertThat(account.computed()).isEqualTo(204);
    assertThat(account.lost()).isEqualTo(Map.of(LossCause.EVICTED, 68L));
    assertThat(account.held()).isEqualTo(160);
    assertThat(account.moves()).isZero();
  }

  @Test
  void session_thatMoved_keepsItsAccountAndEndsWithItsLastLife() {
    ledger.add(SESSION, FIRST, turn(TurnMode.OPENED, 100, 0, Map.of(), 110));
    ledger.move(SESSION, bound("left", FIRST), bound("right", SECOND));
    ledger.end(SESSION, FIRST);
    assertThat(ledger.of(SESSION).orElseThrow().moves()).isEqualTo(1);
    ledger.end(SESSION, SECOND);
    assertThat(ledger.of(SESSION)).isEmpty();
    assertThat(ledger.heldAtEnd(SESSION)).isEqualTo(OptionalInt.of(110));
  }

  @Test
  void move_thatIsToldLate_isCountedAndChangesNoLife() {
    ledger.add(SESSION, FIRST, turn(TurnMode.OPENED, 100, 0, Map.of(), 110));
    ledger.move(SESSION, FIRST, SECOND);
    ledger.add(SESSION, SECOND, turn(TurnMode.OPENED, 120, 0, Map.of(), 130));
    assertThat(ledger.of(SESSION).orElseThrow().computed()).isEqualTo(220);
    ledger.move(SESSION, bound("left", FIRST), bound("right", SECOND));
    assertThat(ledger.of(SESSION).orElseThrow().moves()).isEqualTo(1);
    ledger.end(SESSION, SECOND);
    assertThat(ledger.of(SESSION)).isEmpty();
  }

  @Test
  void session_thatBeginsAnewWhereItWas_keepsItsAccount_andHasNotMoved() {
    ledger.add(SESSION, FIRST, turn(TurnMode.OPENED, 100, 0, Map.of(), 110));
    ledger.move(SESSION, bound("left", FIRST), bound("left", SECOND));
    ledger.end(SESSION, FIRST);
    assertThat(ledger.of(SESSION).orElseThrow().moves()).isZero();
    ledger.end(SESSION, SECOND);
    assertThat(ledger.of(SESSION)).isEmpty();
  }

  @Test
  void binding_thatChangesOtherwise_isNoMove() {
    ledger.add(SESSION, FIRST, turn(TurnMode.OPENED, 100, 0, Map.of(), 110));
    ledger.move(SESSION, bound("left", FIRST), bound("left", FIRST));
    assertThat(ledger.of(SESSION).orElseThrow().moves()).isZero();
  }

  @Test
  void session_thatIsOpenedAgain_beginsANewAccount() {
    ledger.add(SESSION, FIRST, turn(TurnMode.OPENED, 100, 0, Map.of(), 110));
    ledger.end(SESSION, FIRST);
    ledger.add(SESSION, SECOND, turn(TurnMode.OPENED, 7, 0, Map.of(), 9));
    assertThat(ledger.heldAtEnd(SESSION)).isEmpty();
    assertThat(ledger.of(SESSION).orElseThrow().computed()).isEqualTo(7);
    ledger.end(SESSION, FIRST);
    assertThat(ledger.of(SESSION)).isPresent();
  }

  @Test
  void session_thatIsOpenedAgain_beforeItsEndIsTold_beginsANewAccount() {
    ledger.add(SESSION, FIRST, turn(TurnMode.OPENED, 100, 0, Map.of(), 110));
    ledger.add(SESSION, SECOND, turn(TurnMode.OPENED, 7, 0, Map.of(), 9));
    ledger.move(SESSION, FIRST, new Incarnation(3)); // of a life that is over
    ledger.end(SESSION, FIRST);
    assertThat(ledger.of(SESSION).orElseThrow().computed()).isEqualTo(7);
    ledger.end(SESSION, SECOND);
    assertThat(ledger.heldAtEnd(SESSION)).isEqualTo(OptionalInt.of(9));
  }

  @Test
  void endedSessions_areForgottenOldestFirst() {
    for (int i = 0; i <= 4096; i++) {
      SessionId session = new SessionId(Tenant.DEFAULT, "s" + i);
      ledger.add(session, FIRST, turn(TurnMode.OPENED, 5, 0, Map.of(), 6));
      ledger.end(session, FIRST);
    }
    assertThat(ledger.heldAtEnd(new SessionId(Tenant.DEFAULT, "s0"))).isEmpty();
    assertThat(ledger.heldAtEnd(new SessionId(Tenant.DEFAULT, "s1"))).isPresent();
    assertThat(ledger.heldAtEnd(new SessionId(Tenant.DEFAULT, "s4096"))).isPresent();
  }

  private static Account.Turn turn(
      TurnMode mode, int prompt, int reused, Map<LossCause, Integer> lost, int held) {
    return new Account.Turn(mode, prompt, reused, 10, lost, held, 0);
  }

  private static Bound bound(String worker, Incarnation life) {
    Terms terms =
        new Terms(
            Terms.Kind.ENGINE_BACKED,
            Duration.ofMinutes(5),
            OptionalInt.empty(),
            OnClose.FREE,
            Optional.empty(),
            false,
            SessionKind.CONVERSATION);
    return Bound.idle(1, life, terms, new WorkerRank(new WorkerId(worker), 0), 0);
  }
}
