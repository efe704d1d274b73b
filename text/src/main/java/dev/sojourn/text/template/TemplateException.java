package dev.sojourn.text.template;

/**
 * Says why a chat template could not be compiled or rendered, and at which of its lines. Immutable.
 */
public final class TemplateException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  private final String reason;
  private final int line;
  private final boolean refusal;

  /** A failure whose line is not known yet; the statement that was running adds it. */
  TemplateException(String reason) {
    this(reason, 0, false);
  }

  TemplateException(String reason, int line) {
    this(reason, line, false);
  }

  private TemplateException(String reason, int line, boolean refusal) {
    super(line == 0 ? reason : "template line " + line + ": " + reason);
    this.reason = reason;
    this.line = line;
    this.refusal = refusal;
  }

  /** What {@code raise_exception(message)} throws. */
  static TemplateException refusal(String message) {
    return new TemplateException(message, 0, true);
  }

  /** Returns this failure with a line, unless one closer to the fault is known already. */
  TemplateException at(int statementLine) {
    if (line != 0) {
      return this;
    }
    TemplateException placed = new TemplateException(reason, statementLine, refusal);
    placed.setStackTrace(getStackTrace());
    return placed;
  }

  /** Returns the line of the template, from 1; 0 if the fault has no line. */
  public int line() {
    return line;
  }

  /** Returns what went wrong, without the line; of a refusal, the template's own words. */
  public String reason() {
    return reason;
  }

  /**
   * Returns whether the template itself refused the conversation ({@code raise_exception}): then
   * the caller sent messages that the model's format does not allow. Otherwise the template failed.
   */
  public boolean refusal() {
    return refusal;
  }
}
