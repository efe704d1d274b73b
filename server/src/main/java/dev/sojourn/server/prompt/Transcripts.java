package dev.sojourn.server.prompt;

import dev.sojourn.core.Clock;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionTokens;
import dev.sojourn.text.Tokenizer;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The transcripts of all sessions: bounded by the memory they take, the least recently used go
 * first. A session whose transcript is gone goes on with full prompts, which are tokenised anew.
 * Thread-safe; the transcripts themselves belong to whoever holds their session's lease.
 */
public final class Transcripts {

  private final Tokenizer tokenizer;
  private final long maxBytes;
  private final Clock clock;

  /** Least recently used first. Guarded by itself, as are the entries and the sum. */
  private final Map<Key, Entry> entries = new LinkedHashMap<>(16, 0.75f, true);

  private long bytes;

  /**
   * Creates an empty store.
   *
   * @param maxBytes about how much memory the transcripts may take together
   */
  public Transcripts(Tokenizer tokenizer, long maxBytes, Clock clock) {
    if (maxBytes < 1) {
      throw new IllegalArgumentException("transcripts need some memory, not " + maxBytes);
    }
    this.tokenizer = tokenizer;
    this.maxBytes = maxBytes;
    this.clock = clock;
  }

  /** Returns the transcript of an incarnation, if it is held. */
  public Optional<Transcript> find(SessionId session, Incarnation incarnation) {
    synchronized (entries) {
      return Optional.ofNullable(entries.get(new Key(session, incarnation)))
          .map(entry -> entry.transcript);
    }
  }

  /** Returns the transcript of an incarnation; an empty one if none is held. */
  public Transcript open(SessionId session, Incarnation incarnation) {
    synchronized (entries) {
      Key key = new Key(session, incarnation);
      @Nullable Entry held = entries.get(key);
      if (held != null) {
        return held.transcript;
      }
      LocalDateTime now = LocalDateTime.ofInstant(clock.now(), ZoneId.systemDefault());
      Entry entry = new Entry(key, now);
      entries.put(key, entry);
      account(entry);
      return entry.transcript;
    }
  }

  /**
   * Returns the transcript of an incarnation; if none is held, an empty one that {@linkplain
   * Transcript#isForgotten says} that this proves nothing.
   */
  public Transcript openForgotten(SessionId session, Incarnation incarnation) {
    synchronized (entries) { // or a fork could copy one that does not say so yet
      return find(session, incarnation)
          .orElseGet(() -> {
            Transcript transcript = open(session, incarnation);
            transcript.forget();
            return transcript;
          });
    }
  }

  /**
   * Returns a copy of the transcript of an incarnation, if it is held; nobody's turn changes it.
   */
  public Optional<Transcript> copy(SessionId session, Incarnation incarnation) {
    return find(session, incarnation).map(Transcript::copy);
  }

  /**
   * Gives a session that was started from another one what that has said, as of its last commit.
   * Nobody waits for a turn of the other.
   *
   * @return the new session's; empty if the other's is not held
   */
  public Optional<Transcript> fork(
      SessionId parent, Incarnation life, SessionId child, Incarnation childLife) {
    Optional<Transcript> from = find(parent, life);
    return from.map(held -> {
      Transcript to = open(child, childLife);
      held.copyTo(to);
      return to;
    });
  }

  /**
   * Makes a transcript of what an engine holds, in place of what was held here, if anything. The
   * caller has the session's lease.
   */
  public Transcript restore(SessionId session, Incarnation incarnation, SessionTokens tokens) {
    Optional<Transcript> before = find(session, incarnation);
    remove(session, incarnation);
    Transcript transcript = open(session, incarnation);
    before.ifPresent(transcript::goOnFrom);
    transcript.restore(tokens);
    return transcript;
  }

  /** Forgets an incarnation's transcript, if it is held: the session ended. */
  public void remove(SessionId session, Incarnation incarnation) {
    synchronized (entries) {
      @Nullable Entry removed = entries.remove(new Key(session, incarnation));
      if (removed != null) {
        bytes -= removed.bytes;
      }
    }
  }

  /** Gives a life's transcript to the next life of its session, which goes on elsewhere. */
  public void move(SessionId session, Incarnation from, Incarnation to) {
    synchronized (entries) {
      @Nullable Entry moved = entries.remove(new Key(session, from));
      if (moved != null) {
        moved.key = new Key(session, to);
        @Nullable Entry replaced = entries.put(moved.key, moved);
        bytes -= replaced == null ? 0 : replaced.bytes;
      }
    }
  }

  /** Returns the number of transcripts held. */
  public int size() {
    synchronized (entries) {
      return entries.size();
    }
  }

  /** Returns about how many bytes they take. */
  public long bytes() {
    synchronized (entries) {
      return bytes;
    }
  }

  /** Counts what a transcript takes now, and makes room. One that was forgotten does not count. */
  private void account(Entry entry) {
    synchronized (entries) {
      if (entries.get(entry.key) != entry) {
        return;
      }
      long now = entry.transcript.bytes();
      bytes += now - entry.bytes;
      entry.bytes = now;
      Iterator<Entry> oldest = entries.values().iterator();
      while (bytes > maxBytes && oldest.hasNext()) {
        bytes -= oldest.next().bytes;
        oldest.remove();
      }
    }
  }

  private record Key(SessionId session, Incarnation incarnation) {}

  private final class Entry {

    Key key; // changes when the session moves
    final Transcript transcript;
    long bytes;

    Entry(Key key, LocalDateTime begun) {
      this.key = key;
      this.transcript = new Transcript(tokenizer, begun, _ -> account(this));
    }
  }
}
