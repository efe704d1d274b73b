package dev.sojourn.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Model files. */
@Command(
    name = "model",
    description = "Make and inspect model files.",
    subcommands = {ModelSynth.class, ModelInfoCommand.class},
    footer = {
      "",
      "Examples:",
      "  sojourn model info qwen3-0.6b-q8_0.gguf",
      "  sojourn model synth tiny.gguf --arch llama --layers 2 --type f16"
    })
final class ModelCommand extends HelpOption implements Runnable {

  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "Missing one of synth, info");
  }
}
