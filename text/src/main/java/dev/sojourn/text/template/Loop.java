package dev.sojourn.text.template;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The variable {@code loop}: the walk itself, which looks ahead only when it is asked what comes
 * next or how many there are. A recursive loop can be called.
 */
final class Loop implements Iterator<Object>, Callable {

  private Iterator<Object> rest;
  private int length;
  private final int depth;
  private final Statement.@Nullable For recursive;
  private final Frame frame;
  private int index = -1;
  private @Nullable Object before;
  private @Nullable Object current;
  private @Nullable Object after;
  private @Nullable List<Object> lastChanged;

  /**
   * @param length of what is walked; -1 if only walking it tells
   * @param depth from 0
   * @param recursive what a call runs; null if the loop is not recursive
   * @param frame of the loop statement
   */
  Loop(
      Iterator<Object> items,
      int length,
      int depth,
      Statement.@Nullable For recursive,
      Frame frame) {
    this.rest = items;
    this.length = length;
    this.depth = depth;
    this.recursive = recursive;
    this.frame = frame;
  }

  @Override
  public boolean hasNext() {
    return after != null || rest.hasNext();
  }

  @Override
  public Object next() {
    before = current;
    current = after != null ? after : rest.next();
    after = null;
    index++;
    return current;
  }

  int length() {
    if (length < 0) {
      List<Object> ahead = new ArrayList<>();
      rest.forEachRemaining(ahead::add);
      rest = ahead.iterator();
      length = index + 1 + ahead.size() + (after == null ? 0 : 1);
    }
    return length;
  }

  private @Nullable Object peek() {
    if (after == null && rest.hasNext()) {
      after = rest.next();
    }
    return after;
  }

  /** Returns {@code loop.name}; null if there is no such thing. */
  @Nullable Object attribute(String name) {
    return switch (name) {
      case "index" -> index + 1L;
      case "index0" -> (long) index;
      case "revindex" -> (long) length() - index;
      case "revindex0" -> (long) length() - index - 1;
      case "first" -> index == 0;
      case "last" -> peek() == null;
      case "length" -> (long) length();
      case "depth" -> depth + 1L;
      case "depth0" -> (long) depth;
      case "previtem" -> before == null ? new Undefined("there is no previous item") : before;
      case "nextitem" -> {
        Object next = peek();
        yield next == null ? new Undefined("there is no next item") : next;
      }
      case "cycle" -> (Callable) (arguments, rendering) -> cycle(arguments);
      case "changed" -> (Callable) this::changed;
      default -> null;
    };
  }

  private Object cycle(Arguments arguments) {
    List<Object> items = arguments.positional();
    if (items.isEmpty()) {
      throw new TemplateException("loop.cycle() needs items");
    }
    return items.get(index % items.size());
  }

  private boolean changed(Arguments arguments, Rendering rendering) {
    if (lastChanged != null && Comparison.equal(lastChanged, arguments.positional(), rendering)) {
      return false;
    }
    lastChanged = arguments.positional();
    return true;
  }

  @Override
  public Object call(Arguments arguments, Rendering rendering) {
    if (recursive == null) {
      throw new TemplateException("only a loop marked 'recursive' can be called");
    }
    Object items = arguments.bind("loop", 1, "iterable").at(0);
    int mark = rendering.out.length();
    rendering.enter();
    recursive.run(items, frame, depth + 1);
    rendering.leave();
    return rendering.take(mark);
  }
}
