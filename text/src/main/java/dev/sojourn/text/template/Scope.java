package dev.sojourn.text.template;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The names of a scope while the parser reads it. Loops, macros, call, filter, set and with blocks
 * have scopes; {@code if} has none.
 *
 * <p>The rule is jinja2's: a name that is set anywhere in a scope is local to it, and starts with
 * the value it has outside; nothing that is set inside is seen outside. So names are bound when the
 * scope closes, when all its declarations are known; what it does not declare is handed to the
 * scope around it. The outermost scope takes what is left from the variables of the rendering.
 */
final class Scope {

  private final @Nullable Scope outer;
  private final Frames frames;
  private final boolean ownFrame;
  private final Map<String, Integer> slots = new LinkedHashMap<>();
  private final List<Variable> mentions = new ArrayList<>();
  private final Set<String> used = new HashSet<>();
  private final List<Inherited> inherited = new ArrayList<>();

  /** Counts the slots of a frame, which several scopes share. */
  private static final class Frames {
    private int size;
  }

  /**
   * A variable that starts with the value it has outside.
   *
   * @param slot of this scope
   * @param source outside
   */
  record Inherited(int slot, Variable source) {}

  private Scope(@Nullable Scope outer, Frames frames, boolean ownFrame) {
    this.outer = outer;
    this.frames = frames;
    this.ownFrame = ownFrame;
  }

  static Scope outermost() {
    return new Scope(null, new Frames(), true);
  }

  /** Opens a scope whose variables live in the same frame. */
  Scope inner() {
    return new Scope(this, frames, false);
  }

  /** Opens the scope of something that is called, and so has a frame of its own. */
  Scope callable() {
    return new Scope(this, new Frames(), true);
  }

  /** Mentions a name that is read. */
  Variable read(String name) {
    Variable mention = new Variable(name);
    mentions.add(mention);
    return mention;
  }

  /** Mentions a name that is set, which makes it local. */
  Variable set(String name) {
    if (!slots.containsKey(name)) {
      int slot = declare(name);
      if (outer != null) {
        Variable source = outer.read(name);
        if (ownFrame) {
          source.hop();
        }
        inherited.add(new Inherited(slot, source));
      }
    }
    return read(name);
  }

  /** Declares a name that has a value from the start, such as a parameter; returns its slot. */
  int declare(String name) {
    return slots.computeIfAbsent(name, n -> frames.size++);
  }

  /** Returns whether a name was mentioned here or in a scope inside. */
  boolean mentions(String name) {
    return used.contains(name) || mentions.stream().anyMatch(m -> m.name.equals(name));
  }

  /** Binds all names mentioned; hands on those of other scopes. */
  void close() {
    for (Variable mention : mentions) {
      used.add(mention.name);
      Integer slot =
          outer == null ? Integer.valueOf(declare(mention.name)) : slots.get(mention.name);
      if (slot != null) {
        mention.bind(slot);
      } else if (outer != null) {
        if (ownFrame) {
          mention.hop();
        }
        outer.mentions.add(mention);
      }
    }
    if (outer != null) {
      outer.used.addAll(used);
    }
    mentions.clear();
  }

  /** Returns how many slots the frame needs, once every scope in it is closed. */
  int frameSize() {
    return frames.size;
  }

  /** Returns the slots by name; of the outermost scope, all that a rendering has to fill in. */
  Map<String, Integer> slots() {
    return slots;
  }

  /** Returns what to copy from outside whenever the scope is entered. */
  List<Inherited> inherited() {
    return List.copyOf(inherited);
  }
}
