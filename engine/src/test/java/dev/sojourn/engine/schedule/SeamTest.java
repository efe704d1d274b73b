package dev.sojourn.engine.schedule;

import static dev.sojourn.core.BlockHasher.BLOCK;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.SessionSettings;
import dev.sojourn.core.Tokens;
import dev.sojourn.core.TurnMode;
import dev.sojourn.engine.RecordedAnswer;
import dev.sojourn.engine.TurnRequest;
import org.junit.jupiter.api.Test;

/**
 * The page in which the committed tokens end is filled and published by a turn that is then
 * dropped, or cut into by a rewind: at every offset, with and without another reader. SGLang #22862
 * and #22790 are what goes wrong here. Without a page to copy to: see {@code ContextTest}.
 */
class SeamTest {

  @Test
  void abort_afterTheSeamPageWasPublished_leavesTheCommittedTokensAndTheirKv() {
    for (int offset = 1; offset <= BLOCK; offset++) {
      for (boolean reader : new boolean[] {false, true}) {
        Rig rig = new Rig(64);
        SessionSettings session = rig.open("agent", 1);
        rig.run(rig.delta(session, Rig.ids(3, BLOCK + offset - 1), 1));
        int committed = BLOCK + offset;
        assertThat(rig.view(session).committed()).isEqualTo(committed);
        long digest = rig.view(session).digest();

        TurnRequest aborted = rig.delta(session, Rig.ids(50, 40), 20);
        RecordedAnswer answer = rig.submit(aborted);
        while (answer.ids.size() < 2) {
          rig.step();
        }
        RecordedAnswer other = null;
        TurnRequest same = null;
        if (reader) {
          // Somebody who has the same prompt, and so the seam page, while it is aborted.
          same = rig.stateless(committedTokens(rig, session).concat(Rig.ids(50, 45)), 30);
          other = rig.submit(same);
          rig.step();
          assertThat(other.start().reusedTokens()).isGreaterThanOrEqualTo(2 * BLOCK);
        }
        rig.scheduler.cancel(aborted.requestId());
        rig.verify();

        assertThat(rig.view(session).committed()).isEqualTo(committed);
        assertThat(rig.view(session).digest()).isEqualTo(digest);
        assertThat(rig.view(session).resident())
            .as("offset %d, reader %s", offset, reader)
            .isEqualTo(committed);
        TurnRequest next = rig.delta(session, Rig.ids(90, 5), 12);
        RecordedAnswer after = rig.run(next);
        assertThat(after.start().reusedTokens()).isEqualTo(committed);
        Rig.assertSameAsStateless(next, after);
        if (other != null && same != null) {
          rig.drain();
          Rig.assertSameAsStateless(same, other);
        }
      }
    }
  }

  @Test
  void rewind_toEveryOffset_keepsTheKvUpToTheDivergence() {
    for (int at = 2 * BLOCK; at < 4 * BLOCK; at++) {
      Rig rig = new Rig(64);
      SessionSettings session = rig.open("agent", 1);
      rig.run(rig.delta(session, Rig.ids(3, 20), 4));
      rig.run(rig.delta(session, Rig.ids(60, 40), 6));
      Tokens committed = committedTokens(rig, session);
      assertThat(committed.length()).isEqualTo(70);

      // Another word in the place of the token at which the prompt diverges.
      int other = (committed.get(at) + 1) % 22;
      Tokens prompt = committed.slice(0, at).concat(Tokens.of(other)).concat(Rig.ids(80, 9));
      TurnRequest rewound = rig.full(session, prompt, 8);
      RecordedAnswer answer = rig.run(rewound);
      assertThat(answer.start().mode()).isEqualTo(TurnMode.REWIND);
      assertThat(answer.start().reusedTokens()).isEqualTo(at);
      assertThat(rig.view(session).committed()).isEqualTo(at + 18);
      Rig.assertSameAsStateless(rewound, answer);

      // What was cut off is cache: going back the other way finds its full pages.
      TurnRequest back = rig.full(session, committed.concat(Rig.ids(10, 3)), 4);
      answer = rig.run(back);
      assertThat(answer.start().mode()).isEqualTo(TurnMode.REWIND);
      assertThat(answer.start().reusedTokens()).isGreaterThanOrEqualTo(4 * BLOCK);
      Rig.assertSameAsStateless(back, answer);
    }
  }

  @Test
  void abortOfARewindingTurn_leavesTheSessionAtTheEndOfAMessage() {
    Rig rig = new Rig(64);
    SessionSettings session = rig.open("agent", 1);
    rig.run(rig.delta(session, Rig.ids(3, 20), 4));
    rig.run(rig.delta(session, Rig.ids(60, 40), 6));
    Tokens prompt = committedTokens(rig, session).slice(0, 50).concat(Rig.ids(91, 30));
    TurnRequest rewound = rig.full(session, prompt, 20);
    RecordedAnswer answer = rig.submit(rewound);
    while (answer.ids.isEmpty()) {
      rig.step();
    }
    rig.scheduler.cancel(rewound.requestId());
    rig.verify();
    assertThat(rig.view(session).committed()).isEqualTo(24); // where the first turn ended
    assertThat(rig.view(session).resident()).isEqualTo(24);
  }

  @Test
  void promptOnTheWayToASeamPage_thatIsResident_adoptsItAndGivesItBack() {
    Rig rig = new Rig(64);
    SessionSettings session = rig.open("agent", 1);
    rig.run(rig.delta(session, Rig.ids(3, 20), 1));
    // The first try publishes pages and is dropped; the second finds them; so does the third.
    for (int turn = 0; turn < 3; turn++) {
      TurnRequest aborted = rig.delta(session, Rig.ids(50, 60), 20);
      RecordedAnswer answer = rig.submit(aborted);
      while (answer.ids.isEmpty()) {
        rig.step();
      }
      assertThat(answer.start().reusedTokens()).isEqualTo(turn == 0 ? 20 : 80);
      rig.scheduler.cancel(aborted.requestId());
      rig.verify();
      assertThat(rig.view(session).resident()).isEqualTo(21);
    }
  }

  private static Tokens committedTokens(Rig rig, SessionSettings session) {
    int committed = rig.view(session).committed();
    return rig.scheduler.committed(session.id()).slice(0, committed);
  }
}
