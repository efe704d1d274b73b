package dev.sojourn.engine.kv;

import static dev.sojourn.core.BlockHasher.BLOCK;
import static dev.sojourn.engine.kv.PageState.CACHED;
import static dev.sojourn.engine.kv.PageState.FREE;
import static dev.sojourn.engine.kv.PageState.IN_USE;
import static dev.sojourn.engine.kv.PageState.LEASED;

import dev.sojourn.core.KvEvent;
import dev.sojourn.core.TokenBuffer;
import dev.sojourn.core.Tokens;
import dev.sojourn.engine.EvictionPolicy;
import dev.sojourn.engine.model.ModelRunner;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * All KV memory, as pages of {@link dev.sojourn.core.BlockHasher#BLOCK} slots. A published page is
 * full, immutable, named by its chained hash, and a node of the prefix tree: its parent is the page
 * before it. A page that is not published is private to the one {@link Context} that lists it.
 *
 * <p>A page has users (running turns) and leases (idle or running sessions). Without a user it may
 * be evicted at any time, tails first; its leases are then void, which their holders see by its
 * generation. A private page with neither user nor lease is freed at once.
 *
 * <p>Because whoever uses a page uses all before it, a page without a user has no descendant with
 * one: everything that is not in use can be had.
 *
 * <p>Arrays by page number, no object per page. Longer than other classes because what a page is
 * hangs on all of them at once, and a change of one has to settle the others; what can be told
 * apart, the order of eviction, the table of names, who published what and who is told, is.
 *
 * <p>Not thread-safe: the engine thread owns it.
 */
public final class PagePool {

  /** No page. */
  public static final int NONE = -1;

  private final ModelRunner runner;
  private final int sessionBudget;
  private final PageTable table;
  private final EvictionQueue eviction;
  private final KvEventFeed feed = new KvEventFeed();

  private final int[] tokens; // BLOCK ids a page, of published pages
  private final long[] hash;
  private final long[] namespace;
  private final int[] parent;
  private final int[] children;
  private final int[] users;
  private final int[] leases;
  private final int[] generation;
  private final boolean[] published;
  private final boolean[] matchedByOthers;
  private final PublishedPages publishedBy;
  private final PageState[] state;

  private final int[] free;
  private int freeCount;
  private int cachedCount;
  private int leasedCount;
  private int inUseCount;
  private final AtomicInteger publishedCount = new AtomicInteger();
  private int held;
  private long evicted;
  private long stamp;

  /**
   * Creates a pool over all pages of a runner.
   *
   * @param sessionBudget how many pages sessions may lease before theirs go first
   */
  public PagePool(ModelRunner runner, int sessionBudget, EvictionPolicy policy) {
    this.runner = runner;
    this.sessionBudget = sessionBudget;
    int capacity = runner.pages();
    table = new PageTable(capacity);
    eviction = new EvictionQueue(capacity, policy);
    tokens = new int[capacity * BLOCK];
    hash = new long[capacity];
    namespace = new long[capacity];
    parent = new int[capacity];
    children = new int[capacity];
    users = new int[capacity];
    leases = new int[capacity];
    generation = new int[capacity];
    published = new boolean[capacity];
    matchedByOthers = new boolean[capacity];
    publishedBy = new PublishedPages(capacity);
    state = new PageState[capacity];
    free = new int[capacity];
    Arrays.fill(parent, NONE);
    Arrays.fill(state, FREE);
    for (int page = 0; page < capacity; page++) {
      free[page] = capacity - 1 - page; // handed out in ascending order
    }
    freeCount = capacity;
  }

  /** Returns the number of pages. */
  public int capacity() {
    return free.length;
  }

  /** Returns how many pages are in a state. */
  public int count(PageState wanted) {
    return switch (wanted) {
      case FREE -> freeCount;
      case CACHED -> cachedCount;
      case LEASED -> leasedCount;
      case IN_USE -> inUseCount;
    };
  }

  /** Returns how many pages are published: as many as events told of. Any thread may ask. */
  public int published() {
    return publishedCount.get();
  }

  /** Returns how many pages were evicted since the start. */
  public long evicted() {
    return evicted;
  }

  /** Tells a subscriber of all resident published pages, parents first, then of each change. */
  public void subscribe(Consumer<KvEvent> subscriber) {
    feed.subscribe(subscriber, resident());
  }

  /** Returns the events that lead from nothing to the present, parents first. */
  public List<KvEvent> resident() {
    List<KvEvent> past = new ArrayList<>();
    boolean[] told = new boolean[capacity()];
    int[] chain = new int[capacity()];
    for (int page = 0; page < capacity(); page++) {
      int length = 0;
      for (int at = page; at != NONE && published[at] && !told[at]; at = parent[at]) {
        told[at] = true;
        chain[length++] = at;
      }
      while (length > 0) {
        past.add(stored(chain[--length]));
      }
    }
    return past;
  }

  /** Ends the retentions whose time has come. */
  public void expireRetention(long now) {
    eviction.expire(now);
  }

  /**
   * Returns a private page with one user, evicting another if none is free; {@link #NONE} if all
   * are in use. What it holds is undefined.
   */
  int allocate() {
    if (freeCount == 0) {
      int victim = eviction.first(held > sessionBudget);
      if (victim == NONE) {
        return NONE;
      }
      evicted++;
      release(victim);
    }
    int page = free[freeCount - 1];
    users[page] = 1;
    eviction.create(page, stamp);
    settle(page);
    return page;
  }

  /** Returns the resident published page with this name, or {@link #NONE}. */
  int find(long chained, int parentPage, long seed, TokenBuffer source, int from) {
    int page = table.get(chained);
    return page != NONE && isSame(page, parentPage, seed, source, from) ? page : NONE;
  }

  /** Adds a user to a page that was found, and notes if it is another than the publisher. */
  void match(int page, @Nullable Publisher by) {
    if (publishedBy.publisher(page) != by) {
      matchedByOthers[page] = true;
    }
    use(page);
  }

  void use(int page) {
    if (users[page]++ == 0) {
      settle(page);
    }
    eviction.hit(page);
  }

  /** Takes a user away; a private page that nobody leases is freed with the last one. */
  void unuse(int page) {
    touch(page);
    if (--users[page] == 0) {
      settle(page);
    }
  }

  /** Counts a page as used now. */
  void touch(int page) {
    eviction.touch(page, stamp);
  }

  /** Ends a span of uses: later ones count as more recent. */
  void tick() {
    stamp++;
  }

  void lease(int page) {
    if (leases[page]++ == 0) {
      held++;
    }
    settle(page);
  }

  void unlease(int page) {
    if (--leases[page] == 0) {
      held--;
    }
    settle(page);
  }

  void prioritise(int page, int priority, long retainedUntil) {
    eviction.prioritise(page, priority, retainedUntil);
  }

  /**
   * Publishes a full private page under its chained hash.
   *
   * @return the page; or the resident one that is the same, to be adopted instead; or {@link #NONE}
   *     where another page has the same hash, and this one stays private
   */
  int publish(
      int page,
      int parentPage,
      long chained,
      long seed,
      TokenBuffer source,
      int from,
      @Nullable Publisher by) {
    int there = table.get(chained);
    if (there != NONE) {
      return isSame(there, parentPage, seed, source, from) ? there : NONE;
    }
    for (int i = 0; i < BLOCK; i++) {
      tokens[page * BLOCK + i] = source.get(from + i);
    }
    hash[page] = chained;
    namespace[page] = seed;
    published[page] = true;
    publishedCount.incrementAndGet();
    table.put(chained, page);
    link(page, parentPage);
    publishedBy.add(page, by);
    if (!feed.isSilent()) {
      feed.emit(stored(page));
    }
    settle(page);
    return page;
  }

  /** Names the page before this one, which then stays resident as long as this one does. */
  void link(int page, int parentPage) {
    parent[page] = parentPage;
    if (parentPage != NONE) {
      children[parentPage]++;
      settle(parentPage);
    }
  }

  void unlink(int page) {
    int from = parent[page];
    parent[page] = NONE;
    if (from != NONE) {
      children[from]--;
      settle(from);
    }
  }

  /** Copies the KV of the first slots of a page. */
  void copy(int from, int to, int slots) {
    runner.copySlots(from, to, slots);
  }

  /**
   * Frees the pages that a publisher was the first to publish, that no other request has matched
   * since, and that nobody uses, leases or continues.
   *
   * @return how many they were
   */
  int freePagesOf(Publisher by) {
    int before = freeCount;
    for (int page = by.newest; page != NONE; ) {
      int next = publishedBy.older(page);
      // From each such leaf towards the root; a page with a child left is reached from that child.
      int at = page;
      while (at != NONE && mayFree(at, by)) {
        int up = parent[at];
        if (at == next) {
          next = publishedBy.older(at);
        }
        release(at);
        at = up;
      }
      page = next;
    }
    return freeCount - before;
  }

  // What Invariants looks at.

  int users(int page) {
    return users[page];
  }

  int leases(int page) {
    return leases[page];
  }

  int parent(int page) {
    return parent[page];
  }

  int children(int page) {
    return children[page];
  }

  long hash(int page) {
    return hash[page];
  }

  long namespace(int page) {
    return namespace[page];
  }

  int[] tokens(int page) {
    return Arrays.copyOfRange(tokens, page * BLOCK, (page + 1) * BLOCK);
  }

  boolean finds(int page) {
    return table.get(hash[page]) == page;
  }

  boolean mayBeEvicted(int page) {
    return eviction.contains(page);
  }

  /** Returns whether a page is full, named and immutable. */
  public boolean isPublished(int page) {
    return published[page];
  }

  int generation(int page) {
    return generation[page];
  }

  /** Returns the state of a page. */
  public PageState state(int page) {
    return state[page];
  }

  private boolean mayFree(int page, Publisher by) {
    return publishedBy.publisher(page) == by
        && !matchedByOthers[page]
        && children[page] == 0
        && state[page] == CACHED;
  }

  private boolean isSame(int page, int parentPage, long seed, TokenBuffer source, int from) {
    if (parent[page] != parentPage || namespace[page] != seed) {
      return false;
    }
    for (int i = 0; i < BLOCK; i++) {
      if (tokens[page * BLOCK + i] != source.get(from + i)) {
        return false;
      }
    }
    return true;
  }

  /** Brings a page's state and its place in the eviction queue in line with who holds it. */
  private void settle(int page) {
    PageState now =
        users[page] > 0 ? IN_USE : leases[page] > 0 ? LEASED : published[page] ? CACHED : FREE;
    if (now == FREE) {
      if (state[page] != FREE) {
        release(page);
      }
      return;
    }
    enter(page, now);
    if (now == CACHED) {
      eviction.leaseEnded(page);
    }
    if (now == IN_USE || children[page] > 0) {
      eviction.remove(page);
    } else {
      eviction.add(page, now == LEASED);
    }
  }

  /** Frees a page without users and children, whoever leases it. */
  private void release(int page) {
    if (published[page]) {
      table.remove(hash[page]);
      published[page] = false;
      publishedCount.decrementAndGet();
      if (!feed.isSilent()) {
        feed.emit(new KvEvent.Removed(hash[page]));
      }
      publishedBy.remove(page);
    }
    if (leases[page] > 0) {
      leases[page] = 0;
      held--;
    }
    matchedByOthers[page] = false;
    generation[page]++;
    if (parent[page] != NONE) {
      eviction.inherit(parent[page], page);
    }
    eviction.forget(page);
    free[freeCount] = page;
    enter(page, FREE);
    unlink(page);
  }

  private void enter(int page, PageState now) {
    count(state[page], -1);
    count(now, 1);
    state[page] = now;
  }

  private void count(PageState of, int more) {
    switch (of) {
      case FREE -> freeCount += more;
      case CACHED -> cachedCount += more;
      case LEASED -> leasedCount += more;
      case IN_USE -> inUseCount += more;
    }
  }

  private KvEvent stored(int page) {
    Publisher by = publishedBy.publisher(page);
    return new KvEvent.Stored(
        hash[page],
        parent[page] == NONE ? OptionalLong.empty() : OptionalLong.of(hash[parent[page]]),
        namespace[page],
        Tokens.of(tokens(page)),
        by == null ? Optional.empty() : Optional.of(by.session()));
  }
}
