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

/** Lets a session idle for longer, or less long. */
@Command(
    name = "lease",
    description = {
      "Say how long a session may idle until its next turn.",
      "The idle time counts anew. It keeps the session, not its pages."
    })
final class SessionsLease extends HelpOption implements Runnable {

  @Spec private CommandSpec spec = CommandSpec.create();
  @Mixin private GatewayOption gateway = new GatewayOption();

  @Parameters(index = "0", paramLabel = "NAME", description = "The session's name.")
  private String name = "";

  @Parameters(index = "1", paramLabel = "SECONDS", description = "1 to 31536000.")
  private int seconds;

  @Option(names = "--json", description = "Answer in JSON.")
  private boolean json;

  @Override
  public void run() {
    ObjectNode body = GatewayClient.object().put("idle_seconds", seconds);
    JsonNode session = gateway.client().put(SessionsCommand.path(name) + "/lease", body);
    Output output = new Output(spec.commandLine().getOut());
    if (json) {
      output.json(session);
    } else {
      output.fields(session);
    }
  }
}
