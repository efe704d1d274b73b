package dev.sojourn.cli;

/** What the command tells its shell. */
final class ExitCode {

  /** Done. */
  static final int OK = 0;

  /** It could not be done: a file is missing, a port is taken, a check found a fault. */
  static final int FAILED = 1;

  /** The command line, an environment variable or the configuration file is wrong. */
  static final int USAGE = 2;

  /** It was interrupted, as by Ctrl-C. */
  static final int INTERRUPTED = 130;

  private ExitCode() {}
}
