package dev.sojourn.server.prompt;

/** Whether a model may, must or must not call a tool. */
public sealed interface ToolChoice {

  /** It must not: what looks like a call is text. The tools stay in the prompt. */
  record None() implements ToolChoice {}

  /** It may. */
  record Auto() implements ToolChoice {}

  /** It must call one. */
  record Required() implements ToolChoice {}

  /**
   * It must call this one.
   *
   * @param tool its name
   */
  record Named(String tool) implements ToolChoice {}
}
