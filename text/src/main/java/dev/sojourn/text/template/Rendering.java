package dev.sojourn.text.template;

import java.time.LocalDateTime;
import java.util.List;

/**
 * The state of one rendering: its output, its time, and what it may still spend. A template comes
 * with a model file, so it is bounded rather than trusted: in the steps it takes, in the characters
 * and elements it makes or reads, in the size of any one value, and in how deep its macros go.
 * Confined to one thread.
 */
final class Rendering {

  /** Loop iterations and calls of one rendering. */
  private static final long STEPS = 5_000_000;

  /** Characters and elements that the operations of one rendering may touch. */
  private static final long WORK = 1L << 30;

  /** Characters of the output, and characters or elements of any value. */
  static final int LARGEST = 1 << 25;

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

  /** Pays for characters or elements about to be made or read. */
  void spend(long size) {
    if (size > LARGEST) {
      throw new TemplateException(
          "a value of " + size + " characters or elements; at most " + LARGEST + " are allowed");
    }
    work += size;
    if (work > WORK) {
      throw new TemplateException("more than " + WORK + " characters and elements of work");
    }
  }

  /** Pays for reading or having made a value, and returns it. */
  Object spent(Object value) {
    switch (value) {
      case String text -> spend(text.length());
      case Markup markup -> spend(markup.text().length());
      case List<?> list -> spend(list.size());
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
