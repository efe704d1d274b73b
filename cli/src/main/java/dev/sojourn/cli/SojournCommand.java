package dev.sojourn.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.HelpCommand;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The command itself; its subcommands do the work. */
@Command(
    name = "sojourn",
    description = "Serves language models to agents, with KV sessions from end to end.",
    subcommands = {
      ServeCommand.class,
      ModelCommand.class,
      SessionsCommand.class,
      SmokeCommand.class,
      BenchCommand.class,
      VersionCommand.class,
      HelpCommand.class
    },
    versionProvider = VersionCommand.OneLine.class,
    footer = {
      "",
      "Start here:",
      "  sojourn serve                          a small model of our own, on port 8000",
      "  sojourn serve --model qwen3.gguf       a model of yours",
      "  sojourn smoke http://127.0.0.1:8000    is everything as it should be?",
      "",
      "Every option can be an environment variable: --kv-tokens is SOJOURN_KV_TOKENS.",
      "Exit codes: 0 done, 1 could not be done, 2 wrong usage or configuration,"
          + " 130 and 143 ended by Ctrl-C and by SIGTERM, after what was running was drained."
    })
final class SojournCommand extends HelpOption implements Runnable {

  @Spec private CommandSpec spec = CommandSpec.create();

  @Option(
      names = {"-V", "--version"},
      versionHelp = true,
      description = "Show the version and exit.")
  @SuppressWarnings("UnusedVariable") // picocli sets it and reads it off the specification
  private boolean version;

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "Missing a command");
  }
}
