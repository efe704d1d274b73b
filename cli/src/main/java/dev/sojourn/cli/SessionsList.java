package dev.sojourn.cli;

import java.util.List;
import java.util.stream.StreamSupport;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import tools.jackson.databind.JsonNode;

/** Lists sessions. */
@Command(name = "list", description = "List the sessions of your tenant.")
final class SessionsList extends HelpOption implements Runnable {

  private static final List<String> HEADINGS =
      List.of(
          "SESSION", "KIND", "STATE", "RANK", "TURNS", "TOKENS", "RESIDENT", "IDLE s", "LEFT s");

  @Spec private CommandSpec spec = CommandSpec.create();
  @Mixin private GatewayOption gateway = new GatewayOption();

  @Option(names = "--json", description = "Answer in JSON.")
  private boolean json;

  @Override
  public void run() {
    JsonNode answer = gateway.client().get("/v1/sessions");
    Output output = new Output(spec.commandLine().getOut());
    if (json) {
      output.json(answer);
      return;
    }
    JsonNode sessions = answer.path("data");
    if (sessions.isEmpty()) {
      output.line("no sessions");
      return;
    }
    List<List<Object>> rows =
        StreamSupport.stream(sessions.spliterator(), false).map(SessionsList::row).toList();
    output.table(HEADINGS, rows);
  }

  private static List<Object> row(JsonNode session) {
    return List.of(
        session.path("id").asString("?"),
        session.path("kind").asString("?"),
        session.path("state").asString("?"),
        session.path("worker").asString("?") + "/" + session.path("rank").asInt(-1),
        number(session, "turns"),
        number(session, "tokens"),
        number(session, "resident_tokens"),
        number(session, "idle_seconds"),
        number(session, "remaining_seconds"));
  }

  /** Returns a number that not every session has: one by affinity alone holds nothing. */
  private static Object number(JsonNode session, String field) {
    JsonNode value = session.path(field);
    return value.isNumber() ? value.asInt() : "–";
  }
}
