package dev.sojourn.text.template;

/** What can be called: a method of a value, a macro, a global function, a recursive loop. */
interface Callable {

  /** Calls it. */
  Object call(Arguments arguments, Rendering rendering);
}
