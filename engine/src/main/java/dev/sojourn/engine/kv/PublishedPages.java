package dev.sojourn.engine.kv;

import static dev.sojourn.engine.kv.PagePool.NONE;

import org.jspecify.annotations.Nullable;

/**
 * Which session was the first to publish a page, and all pages of each, newest first: a doubly
 * linked list for each {@link Publisher}, through arrays by page number.
 */
final class PublishedPages {

  private final @Nullable Publisher[] publisher;
  private final int[] newer;
  private final int[] older;

  PublishedPages(int capacity) {
    publisher = new Publisher[capacity];
    newer = new int[capacity];
    older = new int[capacity];
  }

  /** Returns who published a page; null where no session did. */
  @Nullable Publisher publisher(int page) {
    return publisher[page];
  }

  /** Returns the page that the same session published before, or {@link PagePool#NONE}. */
  int older(int page) {
    return older[page];
  }

  void add(int page, @Nullable Publisher by) {
    publisher[page] = by;
    if (by != null) {
      older[page] = by.newest;
      newer[page] = NONE;
      if (by.newest != NONE) {
        newer[by.newest] = page;
      }
      by.newest = page;
    }
  }

  void remove(int page) {
    Publisher by = publisher[page];
    if (by == null) {
      return;
    }
    if (by.newest == page) {
      by.newest = older[page];
    } else {
      older[newer[page]] = older[page];
    }
    if (older[page] != NONE) {
      newer[older[page]] = newer[page];
    }
    publisher[page] = null;
  }
}
