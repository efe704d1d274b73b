package dev.sojourn.server.sessions;

import dev.sojourn.core.Incarnation;
import dev.sojourn.core.LossCause;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.TurnMode;
import dev.sojourn.router.affinity.Binding.Bound;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What this gateway's turns of each session came to, from the session's opening to its end, through
 * all its moves; and how much those held that ended lately, so that a turn that comes too late can
 * be told what it lost. Bounded by the number of bindings. Thread-safe.
 */
public final class Ledger {

  /** Of so many sessions that ended it is known how much they held. */
  private static final int MOST_ENDED = 4096;

  private final Map<SessionId, Page> pages = new HashMap<>(); // guards itself and the other
  private final Map<SessionId, Integer> ended = new LinkedHashMap<>(); // oldest first

  /**
   * An account, and the present life of its session.
   *
   * @param away why that began without what was said before it, until a turn is committed
   */
  private record Page(Incarnation life, Account account, Optional<LossCause> away) {}

  /** Writes down a turn, under its session's lease. */
  public void add(SessionId session, Incarnation life, Account.Turn turn) {
    synchronized (pages) {
      Page page = pages.get(session);
      // Of another life, the end is not told yet.
      Account before = page != null && page.life().equals(life) ? page.account() : Account.EMPTY;
      Optional<LossCause> away =
          turn.mode() == TurnMode.ASIDE ? away(session, life) : Optional.empty();
      pages.put(session, new Page(life, before.with(turn), away));
      ended.remove(session);
    }
  }

  /** Hears that a session goes on with another life, under its lease. */
  public void move(SessionId session, Incarnation from, Incarnation to) {
    synchronized (pages) {
      Page page = pages.get(session);
      if (page != null && page.life().equals(from)) {
        pages.put(session, new Page(to, page.account(), page.away()));
      }
    }
  }

  /** Hears that a session is bound in another way: it may have moved. */
  public void move(SessionId session, Bound from, Bound to) {
    if (from.target().equals(to.target())) { // its worker lost it, and begins it anew
      move(session, from.incarnation(), to.incarnation());
      return;
    }
    synchronized (pages) {
      Page page = pages.get(session);
      if (page != null) {
        boolean known = page.life().equals(from.incarnation());
        Incarnation life = known ? to.incarnation() : page.life();
        pages.put(session, new Page(life, page.account().moved(), page.away()));
      }
    }
  }

  /** Hears that a life begins without what was said before it, under its session's lease. */
  public void away(SessionId session, Incarnation life, LossCause why) {
    synchronized (pages) {
      Page page = pages.get(session);
      Account before = page != null && page.life().equals(life) ? page.account() : Account.EMPTY;
      pages.put(session, new Page(life, before, Optional.of(why)));
    }
  }

  /** Returns why a life still lacks what was said before it; empty if it does not. */
  public Optional<LossCause> away(SessionId session, Incarnation life) {
    synchronized (pages) {
      Page page = pages.get(session);
      return page != null && page.life().equals(life) ? page.away() : Optional.empty();
    }
  }

  /** Hears that a session ended with this life. Of a life before the present one it is no news. */
  public void end(SessionId session, Incarnation life) {
    synchronized (pages) {
      Page page = pages.get(session);
      if (page == null || !page.life().equals(life)) {
        return;
      }
      pages.remove(session);
      ended.put(session, page.account().held());
      if (ended.size() > MOST_ENDED) {
        ended.remove(ended.keySet().iterator().next());
      }
    }
  }

  /** Returns what a session's turns came to; empty if it had none here. */
  public Optional<Account> of(SessionId session) {
    synchronized (pages) {
      return Optional.ofNullable(pages.get(session)).map(Page::account);
    }
  }

  /** Returns how many tokens a session held when it ended, if that was lately. */
  public OptionalInt heldAtEnd(SessionId session) {
    synchronized (pages) {
      Integer held = ended.get(session);
      return held == null ? OptionalInt.empty() : OptionalInt.of(held);
    }
  }
}
