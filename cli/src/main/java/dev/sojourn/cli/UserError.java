package dev.sojourn.cli;

/** Something the user can put right: shown as one line, without a stack trace. */
final class UserError extends RuntimeException {

  private static final long serialVersionUID = 1L;

  private final int exitCode;

  private UserError(int exitCode, String message) {
    super(message);
    this.exitCode = exitCode;
  }

  /**
   * Returns an error for what could not be done; the message says what was wrong and what to do.
   */
  static UserError failed(String message) {
    return new UserError(ExitCode.FAILED, message);
  }

  /** Returns an error for a setting that is wrong; the message says where it stands. */
  static UserError usage(String message) {
    return new UserError(ExitCode.USAGE, message);
  }

  int exitCode() {
    return exitCode;
  }
}
