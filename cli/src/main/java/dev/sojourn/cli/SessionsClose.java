package dev.sojourn.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import tools.jackson.databind.JsonNode;

/** Closes one session. */
@Command(
    name = "close",
    description = {"Close a session and free what is its own.", "A turn that runs is waited for."})
final class SessionsClose extends HelpOption implements Runnable {

  @Spec private CommandSpec spec = CommandSpec.create();
  @Mixin private GatewayOption gateway = new GatewayOption();

  @Parameters(paramLabel = "NAME", description = "The session's name.")
  private String name = "";

  @Option(names = "--abort", description = "End a running turn instead of waiting for it.")
  private boolean abort;

  @Option(names = "--json", description = "Answer in JSON.")
  private boolean json;

  @Override
  public void run() {
    String query = abort ? "?wait=true&abort=true" : "?wait=true";
    JsonNode closed = gateway.client().delete(SessionsCommand.path(name) + query);
    Output output = new Output(spec.commandLine().getOut());
    if (json) {
      output.json(closed);
    } else {
      output.fields(closed);
    }
  }
}
