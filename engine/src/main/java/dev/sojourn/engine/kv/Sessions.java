package dev.sojourn.engine.kv;

import dev.sojourn.core.CloseResult;
import dev.sojourn.core.Counted;
import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.Opened;
import dev.sojourn.core.Parent;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionSettings;
import dev.sojourn.core.SessionTokens;
import dev.sojourn.core.SessionView;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * The sessions of a rank: from open to close or expiry.
 *
 * <p>A name may have several lives at once, when it is opened again while a turn of an older
 * incarnation still runs: the newest is current, the older ones end with their turns.
 *
 * <p>Idle sessions, and only they, stand in order of their deadline. Owned by the engine thread.
 */
public final class Sessions {

  private record Life(SessionId id, Incarnation incarnation) {}

  private final PagePool pool;
  private final int most;
  private final Map<SessionId, SessionRecord> current = new HashMap<>();
  private final Map<Life, SessionRecord> lives = new LinkedHashMap<>();
  private final TreeSet<SessionRecord> idle =
      new TreeSet<>(
          Comparator.comparingLong(SessionRecord::deadline)
              .thenComparingLong(SessionRecord::serial));
  private long opened;

  /**
   * Creates an empty table.
   *
   * @param most how many sessions may be open
   */
  public Sessions(PagePool pool, int most) {
    this.pool = pool;
    this.most = most;
  }

  /** Opens a session, or confirms one; see {@link dev.sojourn.engine.Engine#open}. */
  public Opened open(SessionSettings settings, long now) {
    Life life = new Life(settings.id(), settings.incarnation());
    SessionRecord there = lives.get(life);
    if (there != null) {
      if (!there.settings().equals(settings) || there.isClosing()) {
        throw new Fault.Conflict(
                "session_settings",
                "session "
                    + settings.id().name()
                    + (there.isClosing()
                        ? " is closing"
                        : " is open with other settings: " + describe(there.settings())),
                Map.of("incarnation", settings.incarnation().toString()))
            .asException();
      }
      return there.opened();
    }
    SessionRecord older = current.get(settings.id());
    boolean takesAPlace = older != null && !older.isBusy();
    if (lives.size() >= most && !takesAPlace) {
      throw new Fault.Overloaded(
              "this rank holds " + new Counted(lives.size(), "session") + ", as many as it may",
              Duration.ofSeconds(1))
          .asException();
    }
    SessionRecord parent = settings.parent().flatMap(this::find).orElse(null);
    if (parent != null) {
      requireRoom(settings, parent);
    }
    SessionRecord session = new SessionRecord(settings, parent, pool, opened++, now);
    if (older != null) { // only now: it may be the parent
      close(older, older.settings().onExpiry(), null);
    }
    current.put(settings.id(), session);
    lives.put(life, session);
    idle.add(session);
    return session.opened();
  }

  /** Finds a parent that a session names; one that would only be a neighbour may be missing. */
  private Optional<SessionRecord> find(Parent parent) {
    SessionRecord there = current.get(parent.id());
    if (there != null && !there.isClosing()) {
      if (there.settings().incarnation().equals(parent.incarnation())) {
        return Optional.of(there);
      }
      if (parent.shares()) {
        throw stale(there);
      }
    } else if (parent.shares()) {
      throw new Fault.NotFound(
              "parent_not_found", "there is no session " + parent.id() + " to fork")
          .asException();
    }
    return Optional.empty();
  }

  /** Refuses a fork that would hold all it may from the start, and could not run a turn. */
  private static void requireRoom(SessionSettings settings, SessionRecord parent) {
    int most = settings.capacity().orElse(Integer.MAX_VALUE);
    if (settings.parent().filter(Parent::shares).isPresent()
        && parent.branch().committed() >= most) {
      throw Fault.invalid(
              "capacity",
              "a fork of "
                  + parent.settings().id().name()
                  + " begins with its "
                  + parent.branch().committed()
                  + " tokens; a capacity of "
                  + most
                  + " leaves no room for a turn")
          .asException();
    }
  }

  /** Returns the record that a turn names, which must be current, open, and free or a tree. */
  public SessionRecord find(SessionId id, Incarnation incarnation) {
    SessionRecord session = current.get(id);
    if (session == null || session.isClosing()) {
      throw new Fault.NotFound("session_not_found", "there is no session " + id.name())
          .asException();
    }
    if (!session.settings().incarnation().equals(incarnation)) {
      throw stale(session);
    }
    if (session.isBusy() && session.tree() == null) {
      throw new Fault.Conflict(
              "session_busy", "session " + id.name() + " has a turn that has not ended", Map.of())
          .asException();
    }
    return session;
  }

  /** Closes a life of a session, at once or when its turn ends; then completes the reply. */
  public void close(
      SessionId id, Incarnation incarnation, OnClose how, CompletableFuture<CloseResult> reply) {
    SessionRecord session = lives.get(new Life(id, incarnation));
    if (session == null) {
      reply.complete(CloseResult.UNKNOWN);
    } else {
      close(session, how, reply);
    }
  }

  /** Extends a life's idle time; see {@link dev.sojourn.engine.Engine#extend}. */
  public boolean extend(SessionId id, Incarnation incarnation, Duration time, long now) {
    SessionRecord session = lives.get(new Life(id, incarnation));
    if (session == null || session.isClosing()) {
      return false;
    }
    boolean wasIdle = idle.remove(session); // it stands by its deadline
    session.extend(time, now);
    if (wasIdle) {
      idle.add(session);
    }
    return true;
  }

  /** Returns what a life has committed; see {@link dev.sojourn.engine.Engine#tokens}. */
  public Optional<SessionTokens> tokens(SessionId id, Incarnation incarnation) {
    return Optional.ofNullable(lives.get(new Life(id, incarnation)))
        .map(session -> session.branch().committedTokens());
  }

  /**
   * Gives a session to a turn.
   *
   * @param growth where the turn goes on in a regular session
   * @return what the turn goes on from
   */
  public Branch take(SessionRecord session, String requestId, @Nullable Growth growth) {
    idle.remove(session);
    return session.take(requestId, growth);
  }

  /** Takes a session back from a turn; after the last ends it if it was closed meanwhile. */
  public void giveBack(SessionRecord session, String requestId, long now) {
    session.giveBack(requestId, now);
    if (session.isBusy()) {
      return;
    }
    idle.add(session);
    if (session.isClosing()) {
      remove(session);
      session.endAsAsked();
    }
  }

  /** Ends the sessions whose idle time is over; one with a turn is not idle. */
  public void expire(long now) {
    while (!idle.isEmpty() && idle.first().deadline() <= now) {
      SessionRecord session = idle.first();
      close(session, session.settings().onExpiry(), null);
    }
  }

  /** Returns when {@link #expire} has to be called next; {@link Long#MAX_VALUE} without need. */
  public long nextExpiry() {
    return idle.isEmpty() ? Long.MAX_VALUE : idle.first().deadline();
  }

  /** Returns how many sessions there are. */
  public int size() {
    return lives.size();
  }

  /** Returns all sessions, those that are closing included. */
  public Collection<SessionRecord> all() {
    return lives.values();
  }

  /** Returns what the sessions are now. */
  public List<SessionView> views(long now) {
    Map<SessionRecord, Integer> children = new HashMap<>();
    for (SessionRecord session : lives.values()) {
      SessionRecord parent = session.parent();
      if (parent != null) {
        children.merge(parent, 1, Integer::sum);
      }
    }
    List<SessionView> views = new ArrayList<>(lives.size());
    lives
        .values()
        .forEach(session -> views.add(session.view(children.getOrDefault(session, 0), now)));
    return views;
  }

  private void close(
      SessionRecord session, OnClose how, @Nullable CompletableFuture<CloseResult> reply) {
    if (session.isBusy()) {
      session.closeLater(how, reply);
      return;
    }
    remove(session);
    CloseResult result = session.end(how);
    if (reply != null) {
      reply.complete(result);
    }
  }

  private void remove(SessionRecord session) {
    idle.remove(session);
    SessionSettings settings = session.settings();
    lives.remove(new Life(settings.id(), settings.incarnation()));
    current.remove(settings.id(), session);
  }

  private static FaultException stale(SessionRecord current) {
    SessionSettings settings = current.settings();
    return new Fault.Conflict(
            "stale_incarnation",
            "session " + settings.id().name() + " has begun another life",
            Map.of("incarnation", settings.incarnation().toString()))
        .asException();
  }

  private static String describe(SessionSettings settings) {
    return "timeout "
        + settings.timeout().toSeconds()
        + " s, capacity "
        + (settings.capacity().isPresent() ? settings.capacity().getAsInt() : "none")
        + ", on close "
        + settings.onExpiry()
        + settings
            .parent()
            .map(
                parent -> (parent.shares() ? ", a fork of " : ", a child of ") + parent.id().name())
            .orElse("");
  }
}
