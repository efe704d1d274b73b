package dev.sojourn.text.template;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A macro together with the frame it was defined in, whose variables it sees as they are when it is
 * called. Its value is what it writes.
 */
record Macro(MacroDefinition definition, Frame home) implements Callable {

  String name() {
    return definition.name();
  }

  @Override
  public Object call(Arguments arguments, Rendering rendering) {
    rendering.enter();
    Frame frame = new Frame(definition.frameSize(), home, rendering);
    definition.body().begin(frame);
    bind(arguments, frame);
    int mark = rendering.out.length();
    definition.body().body().run(frame);
    rendering.leave();
    return rendering.take(mark);
  }

  private void bind(Arguments arguments, Frame frame) {
    List<Object> positional = arguments.positional();
    Map<String, Object> named = new LinkedHashMap<>(arguments.named());
    List<MacroDefinition.Parameter> parameters = definition.parameters();
    for (int i = 0; i < parameters.size(); i++) {
      MacroDefinition.Parameter parameter = parameters.get(i);
      Object value = i < positional.size() ? positional.get(i) : named.remove(parameter.name());
      if (value != null) {
        frame.slots[parameter.slot()] = value;
      }
    }
    if (definition.caller() >= 0) {
      Object caller = named.remove("caller");
      frame.slots[definition.caller()] =
          caller == null ? new Undefined("no caller: not called by a call block") : caller;
    }
    if (definition.kwargs() >= 0) {
      frame.slots[definition.kwargs()] = named;
    } else if (!named.isEmpty()) {
      throw new TemplateException(
          "macro '"
              + name()
              + "' takes no argument named '"
              + named.keySet().iterator().next()
              + "'");
    }
    List<Object> rest =
        positional.subList(Math.min(parameters.size(), positional.size()), positional.size());
    if (definition.varargs() >= 0) {
      frame.slots[definition.varargs()] = new Tuple(rest);
    } else if (!rest.isEmpty()) {
      throw new TemplateException(
          "macro '" + name() + "' takes at most " + parameters.size() + " arguments");
    }
    for (MacroDefinition.Parameter parameter : parameters) {
      if (frame.slots[parameter.slot()] == null) {
        frame.slots[parameter.slot()] =
            parameter.value() == null
                ? new Undefined("parameter '" + parameter.name() + "' was not provided")
                : parameter.value().evaluate(frame);
      }
    }
  }

  /** Macros are equal only to themselves; a frame has no value to compare. */
  @Override
  public boolean equals(Object other) {
    return this == other;
  }

  @Override
  public int hashCode() {
    return System.identityHashCode(this);
  }
}
