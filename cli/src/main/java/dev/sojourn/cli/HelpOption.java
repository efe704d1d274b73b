package dev.sojourn.cli;

import picocli.CommandLine.Option;

/** The option that every command has. */
abstract class HelpOption {

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this help and exit.")
  @SuppressWarnings("UnusedVariable") // picocli sets it and reads it off the specification
  private boolean help;
}
