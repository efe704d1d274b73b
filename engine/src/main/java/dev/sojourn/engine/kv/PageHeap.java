package dev.sojourn.engine.kv;

import java.util.Arrays;

/**
 * A binary heap of page numbers that knows where each page stands, so that one can be removed or
 * moved when its key changes. Every operation takes O(log n); nothing is allocated.
 */
final class PageHeap {

  /** Which of two pages comes first; total, so that the order never depends on history. */
  interface Order {
    boolean before(int a, int b);
  }

  private final Order order;
  private final int[] heap;
  private final int[] place; // by page; NONE where absent
  private int size;

  PageHeap(int capacity, Order order) {
    this.order = order;
    heap = new int[capacity];
    place = new int[capacity];
    Arrays.fill(place, PagePool.NONE);
  }

  /** Returns the first page, or {@link PagePool#NONE}. */
  int first() {
    return size == 0 ? PagePool.NONE : heap[0];
  }

  boolean contains(int page) {
    return place[page] != PagePool.NONE;
  }

  /** Adds a page, or moves it to where its present key belongs. */
  void put(int page) {
    if (!contains(page)) {
      place[page] = size;
      heap[size++] = page;
    }
    up(page);
    down(page);
  }

  /** Removes a page if it is there. */
  void remove(int page) {
    if (!contains(page)) {
      return;
    }
    int hole = place[page];
    int last = heap[--size];
    place[page] = PagePool.NONE;
    if (last != page) {
      set(hole, last);
      up(last);
      down(last);
    }
  }

  private void up(int page) {
    int at = place[page];
    while (at > 0 && order.before(page, heap[(at - 1) / 2])) {
      set(at, heap[(at - 1) / 2]);
      at = (at - 1) / 2;
    }
    set(at, page);
  }

  private void down(int page) {
    int at = place[page];
    while (2 * at + 1 < size) {
      int child = 2 * at + 1;
      if (child + 1 < size && order.before(heap[child + 1], heap[child])) {
        child++;
      }
      if (!order.before(heap[child], page)) {
        break;
      }
      set(at, heap[child]);
      at = child;
    }
    set(at, page);
  }

  private void set(int at, int page) {
    heap[at] = page;
    place[page] = at;
  }
}
