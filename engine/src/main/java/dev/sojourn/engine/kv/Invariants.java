package dev.sojourn.engine.kv;

import static dev.sojourn.core.BlockHasher.BLOCK;
import static dev.sojourn.engine.kv.PagePool.NONE;

import dev.sojourn.core.BlockHasher;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/**
 * What must be true of pages, sessions and turns between two steps, counted anew from those who
 * hold something. Takes time in proportion to everything: for tests, and for whoever suspects a
 * fault in production.
 */
public final class Invariants {

  private final PagePool pool;
  private final int[] users;
  private final int[] leases;
  private final int[] listed;
  private final List<String> wrong = new ArrayList<>();

  private Invariants(PagePool pool) {
    this.pool = pool;
    users = new int[pool.capacity()];
    leases = new int[pool.capacity()];
    listed = new int[pool.capacity()];
  }

  /**
   * Checks.
   *
   * @param sessions all sessions
   * @param running the contexts of all running turns, those of sessions included
   * @throws IllegalStateException naming everything that is wrong
   */
  public static void check(
      PagePool pool, Collection<SessionRecord> sessions, Collection<Context> running) {
    Invariants found = new Invariants(pool);
    List<Context> all = new ArrayList<>(running);
    List<Branch> branches =
        sessions.stream().flatMap(session -> session.branches().stream()).toList();
    for (Branch branch : branches) {
      if (!all.contains(branch.context())) {
        all.add(branch.context());
      }
      found.require(
          branch.committed() <= branch.context().length(),
          "a session has committed tokens that it has not");
      found.require(
          branch.context().isOpen() || branch.committed() == branch.context().length(),
          "an idle session has tokens that are not committed");
    }
    for (SessionRecord session : sessions) {
      TurnTree tree = session.tree();
      if (tree != null) {
        tree.check(found.wrong);
      }
    }
    all.forEach(found::context);
    found.pages();
    found.tree();
    if (!found.wrong.isEmpty()) {
      throw new IllegalStateException(String.join("; ", found.wrong));
    }
  }

  private void context(Context context) {
    int computed = context.computed(); // brings the list up to date first
    int pages = context.pageCount();
    require(computed <= context.length(), "KV of tokens that are not there");
    require(computed <= pages * BLOCK, "KV without a page");
    require(context.publishedPages() <= pages, "published pages that are not listed");
    require(
        context.isOpen() || context.leasedPages() == pages, "an idle context lists unleased pages");
    for (int i = 0; i < pages; i++) {
      int page = context.page(i);
      listed[page]++;
      users[page] += context.isOpen() ? 1 : 0;
      leases[page] += i < context.leasedPages() ? 1 : 0;
      boolean isPublished = i < context.publishedPages();
      require(
          pool.isPublished(page) == isPublished,
          "page " + page + " is listed at " + i + " as published: " + isPublished);
      if (isPublished) {
        require(
            pool.hash(page) == context.chained(i)
                && pool.parent(page) == (i == 0 ? NONE : context.page(i - 1)),
            "page " + page + " is not the one that the context's tokens name");
      }
    }
  }

  private void pages() {
    int[] counts = new int[4];
    int published = 0;
    for (int page = 0; page < pool.capacity(); page++) {
      require(users[page] == pool.users(page), "page " + page + " counts other users");
      require(leases[page] == pool.leases(page), "page " + page + " counts other leases");
      PageState state =
          users[page] > 0
              ? PageState.IN_USE
              : leases[page] > 0
                  ? PageState.LEASED
                  : pool.isPublished(page) ? PageState.CACHED : PageState.FREE;
      require(state == pool.state(page), "page " + page + " is not " + pool.state(page));
      require(
          pool.isPublished(page) || listed[page] <= 1, "private page " + page + " is listed twice");
      counts[state.compareTo(PageState.FREE)]++;
      published += pool.isPublished(page) ? 1 : 0;
    }
    require(
        published == pool.published(), "there are not " + pool.published() + " published pages");
    for (PageState state : PageState.values()) {
      require(
          counts[state.compareTo(PageState.FREE)] == pool.count(state),
          "there are not " + pool.count(state) + " pages " + state);
    }
  }

  private void tree() {
    int[] children = new int[pool.capacity()];
    for (int page = 0; page < pool.capacity(); page++) {
      int parent = pool.parent(page);
      if (parent != NONE) {
        children[parent]++;
        require(pool.state(parent) != PageState.FREE, "page " + page + " has a freed parent");
        require(
            !pool.isPublished(page) || pool.isPublished(parent),
            "published page " + page + " has a private parent");
        require(
            pool.state(parent) != PageState.CACHED || pool.state(page) == PageState.CACHED,
            "page " + page + " is held, but not the one before it");
      }
      if (pool.isPublished(page)) {
        BlockHasher hasher = new BlockHasher(pool.namespace(page));
        long local = hasher.local(pool.tokens(page), 0);
        require(
            pool.hash(page) == (parent == NONE ? local : hasher.chain(pool.hash(parent), local)),
            "page " + page + " is not named by its tokens");
        require(pool.finds(page), "published page " + page + " cannot be found");
      } else if (pool.state(page) == PageState.FREE) {
        require(parent == NONE, "free page " + page + " has a parent");
      }
    }
    for (int page = 0; page < pool.capacity(); page++) {
      require(children[page] == pool.children(page), "page " + page + " counts other children");
      require(
          pool.mayBeEvicted(page)
              == (pool.state(page) != PageState.FREE && users[page] == 0 && children[page] == 0),
          "page " + page + " is wrong about whether it may be evicted");
    }
  }

  private void require(boolean holds, String otherwise) {
    if (!holds) {
      wrong.add(otherwise);
    }
  }
}
