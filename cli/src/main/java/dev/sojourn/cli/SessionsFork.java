package dev.sojourn.cli;

import dev.sojourn.bench.GatewayClient;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** Starts one session from another. */
@Command(
    name = "fork",
    description = {
      "Start a session from another one.",
      "It has the other's context, shares its pages, and is its own from then on."
    })
final class SessionsFork extends HelpOption implements Runnable {

  @Spec private CommandSpec spec = CommandSpec.create();
  @Mixin private GatewayOption gateway = new GatewayOption();

  @Parameters(index = "0", paramLabel = "PARENT", description = "The session to start from.")
  private String parent = "";

  @Parameters(index = "1", paramLabel = "NAME", description = "The new session's name.")
  private String name = "";

  @Option(names = "--json", description = "Answer in JSON.")
  private boolean json;

  @Override
  public void run() {
    ObjectNode body = GatewayClient.object().put("session_id", name);
    JsonNode session = gateway.client().post(SessionsCommand.path(parent) + "/fork", body);
    Output output = new Output(spec.commandLine().getOut());
    if (json) {
      output.json(session);
    } else {
      output.fields(session);
    }
  }
}
