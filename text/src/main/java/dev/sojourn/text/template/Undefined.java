package dev.sojourn.text.template;

/**
 * A value that is not there. It is falsy, prints nothing and iterates over nothing; whatever else
 * is done with it fails with its message. All undefined values are equal.
 *
 * @param message what was missing, in the words of the error it turns into
 */
record Undefined(String message) {

  static Undefined name(String name) {
    return new Undefined("'" + name + "' is undefined");
  }

  static Undefined attribute(Object of, String name) {
    return new Undefined(
        "'" + Values.typeName(of) + " object' has no attribute " + Printing.repr(name));
  }

  static Undefined element(Object of, Object key) {
    return new Undefined(Values.typeName(of) + " object has no element " + Printing.repr(key));
  }

  /** What a template may not reach although Python has it: mutators and private names. */
  static Undefined unsafe(Object of, String name) {
    return new Undefined(
        "access to attribute "
            + Printing.repr(name)
            + " of '"
            + Values.typeName(of)
            + "' object is unsafe");
  }

  TemplateException failure() {
    return new TemplateException(message);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Undefined;
  }

  @Override
  public int hashCode() {
    return 0;
  }
}
