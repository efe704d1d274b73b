package dev.sojourn.text.template;

import org.jspecify.annotations.Nullable;

/**
 * The variables of one activation of the template, of a macro or of a recursive loop: one slot for
 * each variable of each scope in it. A macro's frame hangs on the frame it was defined in.
 */
final class Frame {

  final @Nullable Object[] slots;
  final @Nullable Frame outer;
  final Rendering rendering;

  Frame(int slots, @Nullable Frame outer, Rendering rendering) {
    this.slots = new Object[slots];
    this.outer = outer;
    this.rendering = rendering;
  }
}
