package dev.sojourn.engine.kv;

import static dev.sojourn.core.BlockHasher.BLOCK;
import static dev.sojourn.engine.kv.PagePool.NONE;

import dev.sojourn.core.BlockHasher;
import dev.sojourn.core.TokenBuffer;
import dev.sojourn.core.Tokens;
import dev.sojourn.engine.model.StepBatch;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A run of tokens and the pages that hold their KV: of a session's record, or of one turn without a
 * session.
 *
 * <pre>
 *  tokens  |· · · · · · · ·|· · · · · · · ·|· · · · · · · ·|· · · · · · ·     length()
 *  KV      |###############|###############|#########                         computed()
 *  pages   |   published   |   published   |    private    |                  pageCount
 *  leases  |---------------|                                                  leased
 * </pre>
 *
 * <p>Published pages come first, then private ones; normally one, the unfinished tail, and more
 * only where a hash collided. A turn opens the context with {@link #begin}, and then every page it
 * lists has a user; {@link #end} cuts it to what stays, which is leased. Between turns pages may be
 * evicted, tails first, so what is left is always a beginning of the list.
 *
 * <p>Longer than other classes because the drawing is one thing: each operation moves several of
 * its marks, and none may be seen between.
 *
 * <p>Owned by the engine thread.
 */
public final class Context {

  /** A retention that ends with the last lease on a page. */
  public static final long WHILE_LEASED = EvictionQueue.WHILE_LEASED;

  private final PagePool pool;
  private final long namespace;
  private final @Nullable Publisher publisher;
  private final BlockHasher hasher;
  private final TokenBuffer tokens = new TokenBuffer(4 * BLOCK);
  private final int[] block = new int[BLOCK];

  private long[] chain = new long[4]; // of each full block of tokens, whether computed or not
  private int chained;
  private int[] pages = new int[4];
  private int[] generations = new int[4]; // of each page, when it was listed
  private int pageCount;
  private int published;
  private int leased;
  private int computed;
  private boolean open;

  /**
   * Creates an empty context.
   *
   * @param namespace the seed of its hash chain
   * @param publisher the session that owns what it publishes, if any
   */
  public Context(PagePool pool, long namespace, @Nullable Publisher publisher) {
    this.pool = pool;
    this.namespace = namespace;
    this.publisher = publisher;
    hasher = new BlockHasher(namespace);
  }

  /** Returns the number of tokens. */
  public int length() {
    return tokens.length();
  }

  /** Returns how many tokens, from the first on, have their KV. */
  public int computed() {
    if (!open) {
      forgetEvicted();
    }
    return computed;
  }

  /** Returns how many pages it lists. */
  public int pageCount() {
    return pageCount;
  }

  /** Returns how many pages it lists that none of some others does; a turn has each of them. */
  public int pagesNotIn(List<Context> others) {
    int shared = 0;
    for (Context other : others) {
      shared = Math.max(shared, sharedWith(other));
    }
    return pageCount - shared;
  }

  /** Both list the same pages up to some point, since a page has one before it, and none after. */
  private int sharedWith(Context other) {
    int least = 0;
    int most = Math.min(published, other.published);
    while (least < most) {
      int middle = (least + most + 1) >>> 1;
      if (pages[middle - 1] == other.pages[middle - 1]) {
        least = middle;
      } else {
        most = middle - 1;
      }
    }
    return least;
  }

  /** Returns the seed of its hash chain. */
  public long namespace() {
    return namespace;
  }

  /** Returns the first {@code to} tokens as they are now. */
  public Tokens view(int to) {
    return tokens.view(to);
  }

  /** Returns the digest of the first {@code to} tokens. */
  public long digest(int to) {
    int full = to / BLOCK;
    return hasher.digest(full == 0 ? 0 : chain[full - 1], tokens.view(to).from(full * BLOCK));
  }

  /** Opens it for a turn. */
  public void begin() {
    requireOpen(false);
    open = true;
    forgetEvicted();
    for (int i = 0; i < pageCount; i++) {
      pool.use(pages[i]);
    }
    for (int i = published; i < pageCount; i++) {
      pool.unlink(pages[i]);
    }
  }

  /**
   * Starts another context with the first {@code upTo} tokens and their KV: full published pages by
   * reference, the slots of an unfinished one by copy, or with no page to be had, not at all. The
   * other is not open, as after {@link #end}; this one may be.
   *
   * @param by the session that owns what the other publishes
   */
  Context fork(int upTo, Publisher by) {
    int kv = Math.min(upTo, computed());
    int full = Math.min(kv / BLOCK, published);
    int slots = kv % BLOCK;
    Context other = new Context(pool, namespace, by);
    other.open = true;
    other.tokens.append(tokens.view(upTo));
    other.chained = upTo / BLOCK;
    other.chain = Arrays.copyOf(chain, Math.max(other.chain.length, other.chained));
    while (other.published < full) {
      other.adopt(other.published, pages[other.published]);
      other.published++;
    }
    other.computed = full * BLOCK;
    if (slots > 0 && full == kv / BLOCK) {
      int source = pages[full];
      pool.use(source); // or the copy might take its place
      int copy = pool.allocate();
      if (copy != NONE) {
        pool.copy(source, copy, slots);
        other.list(copy);
        other.computed += slots;
      }
      pool.unuse(source);
    }
    other.settle();
    return other;
  }

  /** Counts as used now, though no turn has it. What is left of it goes last from its tail on. */
  void touch() {
    if (!open && computed() > 0) {
      pool.tick();
      pool.touch(pages[pageCount - 1]);
    }
  }

  /** Appends a token; its KV is computed later. */
  public void append(int id) {
    tokens.append(id);
    chain();
  }

  /** Appends tokens; their KV is computed later. */
  public void append(Tokens ids) {
    tokens.append(ids);
    chain();
  }

  /**
   * Takes from the cache what is resident of the next full blocks, and leaves at least the last
   * token to compute: its logits are what a turn is for.
   */
  public void match() {
    requireOpen(true);
    while ((published + 1) * BLOCK <= length()) {
      int page =
          pool.find(chain[published], pageBefore(published), namespace, tokens, published * BLOCK);
      if (page == NONE) {
        break;
      }
      adopt(published, page);
      published++;
      computed = Math.max(computed, published * BLOCK);
    }
    forgetKv(length() - 1);
  }

  /**
   * Gets pages for the first {@code upTo} tokens.
   *
   * @return whether it did; those it got it keeps
   */
  public boolean reserve(int upTo) {
    requireOpen(true);
    while (pageCount * BLOCK < upTo) {
      int page = pool.allocate();
      if (page == NONE) {
        return false;
      }
      list(page);
    }
    return true;
  }

  /** Adds the next {@code count} tokens that have no KV to a step. */
  public int addTo(StepBatch batch, int count) {
    requireOpen(true);
    int slice = batch.addSlice(computed, pages, computed + count == length());
    for (int i = 0; i < count; i++) {
      batch.addToken(tokens.get(computed + i));
    }
    return slice;
  }

  /** Notes that a step computed the next {@code count} tokens; publishes the pages it filled. */
  public void advance(int count) {
    requireOpen(true);
    computed += count;
    while ((published + 1) * BLOCK <= computed) {
      int at = published;
      int page =
          pool.publish(
              pages[at], pageBefore(at), chain[at], namespace, tokens, at * BLOCK, publisher);
      if (page == NONE) {
        return; // another page has this hash: ours stays private, and so do all after it
      }
      if (page != pages[at]) {
        adopt(at, page);
      }
      published++;
    }
  }

  /** Cuts the tokens to the first {@code to}, and the KV with them. */
  public void truncate(int to) {
    requireOpen(true);
    tokens.truncate(to);
    chained = Math.min(chained, to / BLOCK);
    forgetKv(to);
  }

  /**
   * Ends a turn: what a session keeps is leased, the rest becomes cache where it is published and
   * free where it is not.
   *
   * @param keep how many tokens a session keeps; 0 without one
   * @param priority how strongly all used pages are to be kept
   * @param retainedUntil until when; {@link #WHILE_LEASED} for as long as the session lives
   */
  public void end(int keep, int priority, long retainedUntil) {
    requireOpen(true);
    for (int i = 0; i < pageCount; i++) {
      pool.prioritise(pages[i], priority, retainedUntil);
    }
    truncate(keep);
    settle();
  }

  /** Leases all pages, and lets their users go. */
  private void settle() {
    pool.tick();
    for (int i = leased; i < pageCount; i++) {
      pool.lease(pages[i]);
    }
    leased = pageCount;
    for (int i = published; i < pageCount; i++) {
      pool.link(pages[i], pageBefore(i));
    }
    for (int i = pageCount - 1; i >= 0; i--) {
      pool.unuse(pages[i]);
    }
    open = false;
  }

  /**
   * Gives up all pages of a context that is not open.
   *
   * @return how many tokens had their KV on pages that were freed, because they were private
   */
  public int release() {
    requireOpen(false);
    forgetEvicted();
    int freed = 0;
    while (pageCount > 0) {
      int last = --pageCount;
      if (last >= published) {
        freed += Math.min(computed, (last + 1) * BLOCK) - last * BLOCK;
      }
      pool.unlease(pages[last]);
    }
    leased = 0;
    published = 0;
    computed = 0;
    return freed;
  }

  /**
   * Keeps the KV of at most the first {@code upTo} tokens. If that ends within a published page,
   * the seam page, its slots up to there are copied to a private page, or with no page to be had,
   * forgotten.
   */
  private void forgetKv(int upTo) {
    int kept = Math.min(computed, upTo);
    while ((pageCount - 1) * BLOCK >= kept && pageCount > 0) {
      removeLastPage();
    }
    int slots = kept % BLOCK;
    if (slots != 0 && published == pageCount) {
      int copy = pool.allocate();
      if (copy == NONE) {
        removeLastPage();
        kept -= slots;
      } else {
        pool.copy(pages[pageCount - 1], copy, slots);
        replace(pageCount - 1, copy);
        published--;
      }
    }
    computed = kept;
  }

  /** Drops from the list what was evicted since the last turn. */
  private void forgetEvicted() {
    while (pageCount > 0 && pool.generation(pages[pageCount - 1]) != generations[pageCount - 1]) {
      pageCount--;
    }
    leased = Math.min(leased, pageCount);
    published = Math.min(published, pageCount);
    computed = Math.min(computed, pageCount * BLOCK);
  }

  private void adopt(int at, int page) {
    pool.match(page, publisher);
    if (at == pageCount) {
      list(page);
    } else {
      replace(at, page);
    }
  }

  /** Puts a page that has a user already in another's place, with the lease of the other. */
  private void replace(int at, int page) {
    int before = pages[at];
    if (at < leased) {
      pool.lease(page);
      pool.unlease(before);
    }
    pages[at] = page;
    generations[at] = pool.generation(page);
    pool.unuse(before);
  }

  private void list(int page) {
    if (pageCount == pages.length) {
      pages = Arrays.copyOf(pages, 2 * pageCount);
      generations = Arrays.copyOf(generations, 2 * pageCount);
    }
    pages[pageCount] = page;
    generations[pageCount] = pool.generation(page);
    pageCount++;
  }

  private void removeLastPage() {
    int last = --pageCount;
    published = Math.min(published, last);
    if (last < leased) {
      pool.unlease(pages[last]);
      leased = last;
    }
    pool.unuse(pages[last]);
  }

  boolean isOpen() {
    return open;
  }

  int page(int at) {
    return pages[at];
  }

  int publishedPages() {
    return published;
  }

  int leasedPages() {
    return leased;
  }

  long chained(int at) {
    return chain[at];
  }

  private int pageBefore(int at) {
    return at == 0 ? NONE : pages[at - 1];
  }

  private void chain() {
    int full = length() / BLOCK;
    if (full > chain.length) {
      chain = Arrays.copyOf(chain, full + (full >> 1));
    }
    for (; chained < full; chained++) {
      for (int i = 0; i < BLOCK; i++) {
        block[i] = tokens.get(chained * BLOCK + i);
      }
      long local = hasher.local(block, 0);
      chain[chained] = chained == 0 ? local : hasher.chain(chain[chained - 1], local);
    }
  }

  private void requireOpen(boolean wanted) {
    if (open != wanted) {
      throw new IllegalStateException(open ? "a turn has the context" : "no turn has the context");
    }
  }
}
