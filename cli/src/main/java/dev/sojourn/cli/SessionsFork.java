package dev.sojourn.cli;

import dev.sojourn.bench.GatewayClient;
import dev.sojourn.core.SessionControl.OnClose;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
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

  @Option(
      names = "--timeout",
      paramLabel = "SECONDS",
      description = "How long it may idle: 1 to 31536000 (default: 300).")
  private @Nullable Integer timeout;

  @Option(
      names = "--capacity",
      paramLabel = "TOKENS",
      description = "The most tokens that it may hold (default: no limit of its own).")
  private @Nullable Integer capacity;

  @Option(
      names = "--on-close",
      paramLabel = "HOW",
      description = "What becomes of its own pages: free, or retain them as cache (default: free).")
  private @Nullable OnClose onClose;

  @Option(names = "--json", description = "Answer in JSON.")
  private boolean json;

  @Override
  public void run() {
    ObjectNode body = GatewayClient.object().put("session_id", name);
    if (timeout != null) {
      body.put("timeout", timeout);
    }
    if (capacity != null) {
      body.put("capacity", capacity);
    }
    if (onClose != null) {
      body.put("on_close", onClose.name().toLowerCase(Locale.ROOT));
    }
    JsonNode session = gateway.client().post(SessionsCommand.path(parent) + "/fork", body);
    Output output = new Output(spec.commandLine().getOut());
    if (json) {
      output.json(session);
    } else {
      output.fields(session);
    }
  }
}
