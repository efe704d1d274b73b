package dev.sojourn.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import tools.jackson.databind.JsonNode;

/** Shows one session. */
@Command(name = "show", description = "Show where a session lives and what it holds.")
final class SessionsShow extends HelpOption implements Runnable {

  @Spec private CommandSpec spec = CommandSpec.create();
  @Mixin private GatewayOption gateway = new GatewayOption();

  @Parameters(paramLabel = "NAME", description = "The session's name.")
  private String name = "";

  @Option(names = "--json", description = "Answer in JSON.")
  private boolean json;

  @Override
  public void run() {
    JsonNode session = gateway.client().get(SessionsCommand.path(name));
    Output output = new Output(spec.commandLine().getOut());
    if (json) {
      output.json(session);
    } else {
      output.fields(session);
    }
  }
}
