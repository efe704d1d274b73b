package dev.sojourn.text.template;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A parsed template. Immutable.
 *
 * @param body its statements
 * @param variables the slots of the outermost variables by name
 * @param frameSize how many slots the outermost frame has
 */
record Program(Body body, Map<String, Integer> variables, int frameSize) {

  Program {
    variables = Map.copyOf(variables);
  }

  /** Renders the template. */
  String run(Map<String, ?> given, Rendering rendering) {
    Frame frame = new Frame(frameSize, null, rendering);
    variables.forEach((name, slot) -> frame.slots[slot] = start(name, given));
    body.run(frame);
    return rendering.out.toString();
  }

  /** What the caller gives comes before the functions that every template has. */
  private static @Nullable Object start(String name, Map<String, ?> given) {
    Object value = given.get(name);
    if (value != null) {
      return value;
    }
    return given.containsKey(name) ? None.NONE : Globals.BY_NAME.get(name);
  }
}
