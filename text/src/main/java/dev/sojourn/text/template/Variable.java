package dev.sojourn.text.template;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One mention of a name in a template. Where the name lives is known when the scope that declares
 * it has been read to its end; {@link Scope} binds it then, and it does not change afterwards.
 */
final class Variable {

  final String name;
  private int hops;
  private int slot = -1;

  Variable(String name) {
    this.name = name;
  }

  /** Notes that the declaration is one frame further out. */
  void hop() {
    hops++;
  }

  /** Fixes the slot, in the frame that the hops lead to. */
  void bind(int slot) {
    this.slot = slot;
  }

  /** Returns the value, or undefined. */
  Object get(Frame frame) {
    Object value = raw(frame);
    return value == null ? Undefined.name(name) : value;
  }

  /** Returns the value, or null if there is none. */
  @Nullable Object raw(Frame frame) {
    return home(frame).slots[slot];
  }

  void set(Frame frame, Object value) {
    home(frame).slots[slot] = value;
  }

  private Frame home(Frame frame) {
    Frame home = frame;
    for (int i = 0; i < hops; i++) {
      home = Objects.requireNonNull(home.outer);
    }
    return home;
  }
}
