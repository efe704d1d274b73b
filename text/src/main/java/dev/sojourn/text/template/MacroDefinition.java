package dev.sojourn.text.template;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A macro or the body of a call block, as written.
 *
 * @param name of the macro
 * @param parameters in order
 * @param caller slot of the call block's body; -1 if the macro does not ask for it
 * @param varargs slot of the positional arguments beyond the parameters; -1 likewise
 * @param kwargs slot of the named arguments beyond the parameters; -1 likewise
 * @param body to run
 * @param frameSize slots of one activation
 */
record MacroDefinition(
    String name,
    List<Parameter> parameters,
    int caller,
    int varargs,
    int kwargs,
    Statement.Scoped body,
    int frameSize) {

  /**
   * A parameter.
   *
   * @param name it can be given by
   * @param slot of its value
   * @param value its default, which may use the parameters before it
   */
  record Parameter(String name, int slot, @Nullable Expression value) {}
}
