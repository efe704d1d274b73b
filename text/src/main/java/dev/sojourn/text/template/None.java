package dev.sojourn.text.template;

/** Python's {@code None}: the JSON null, which inside the engine is a value like others. */
enum None {
  NONE
}
