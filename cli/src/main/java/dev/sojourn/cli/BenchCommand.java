package dev.sojourn.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Workloads that measure. */
@Command(
    name = "bench",
    description = "Measure the engine, or a gateway under the workloads of agents.",
    subcommands = {BenchEngine.class, BenchPressure.class, BenchTurns.class},
    footer = {
      "",
      "Examples:",
      "  sojourn bench engine --quick",
      "  sojourn bench turns --turns 100",
      "  sojourn bench pressure"
    })
final class BenchCommand extends HelpOption implements Runnable {

  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public void run() {
    throw new ParameterException(
        spec.commandLine(), "Missing a workload: engine, pressure or turns");
  }
}
