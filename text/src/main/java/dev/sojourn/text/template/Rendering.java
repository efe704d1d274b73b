package dev.sojourn.text.template;

import java.time.LocalDateTime;

/**
 * The state of one rendering: its output, its time, and what it may still spend. A template comes
 * with a model file, so it is bounded rather than trusted: in the steps it takes, in what it makes
 * or reads, in the size of any one value, and in how deep its macros go. Confined to one thread.
 */
final class Rendering {

  /** Loop iterations and calls of one rendering. */
  private static final long STEPS = 5_000_000;

  /** Characters that the operations of one rendering may touch. */
  private static final long WORK = 1L << 30;

  /** Characters of the output, and of any value. */
  static final int LARGEST = 1 << 25;

  /** What an element of a list costs, in characters. */
  private static final int ITEM = 64;

  /** Macros, call blocks and recursive loops inside each other. */
  private static final int DEPTH = 100;

  final StringBuilder out = new StringBuilder(4096);
  final LocalDateTime now;
  private long steps;
  private long work;
  private int depth;

  Rendering(LocalDateTime now) {
    this.now = now;
  }

  /** Pays for one iteration or call. */
  void step() {
    if (++steps > STEPS) {
      throw new TemplateException("more than " + STEPS + " loop iterations and calls");
    }
  }

  /** Pays for characters about to be made or read. */
  void spend(long characters) {
    if (characters > LARGEST) {
      throw new TemplateException(
          "a text of " + characters + " characters; at most " + LARGEST + " are allowed");
    }
    pay(characters);
  }

  /** Pays for elements of lists and dicts about to be made or read; each costs more than text. */
  void spendItems(long count) {
    if (count > LARGEST / ITEM) {
      throw new TemplateException(
          "a list of " + count + " elements; at most " + LARGEST / ITEM + " are allowed");
    }
    pay(count * ITEM);
  }

  private void pay(long size) {
    work += size;
    if (work > WORK) {
      throw new TemplateException("the template does too much");
    }
  }

  /** Pays for reading or having made a text, and returns it. */
  Object spent(Object value) {
    switch (value) {
      case String text -> spend(text.length());
      case Markup markup -> spend(markup.text().length());
      default -> {}
    }
    return value;
  }

  /** Appends to the output. */
  void write(String text) {
    spend((long) out.length() + text.length() > LARGEST ? LARGEST + 1L : text.length());
    out.append(text);
  }

  /** Takes back the output since a mark, and returns it: the text of a captured block. */
  String take(int mark) {
    String text = out.substring(mark);
    out.setLength(mark);
    return text;
  }

  /** Enters a macro or a recursive loop. */
  void enter() {
    step();
    if (++depth > DEPTH) {
      throw new TemplateException("calls more than " + DEPTH + " deep");
    }
  }

  /** Leaves what {@link #enter} entered. */
  void leave() {
    depth--;
  }
}
