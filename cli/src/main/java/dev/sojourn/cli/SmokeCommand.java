package dev.sojourn.cli;

import dev.sojourn.bench.GatewayClient;
import java.net.URI;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Walks one agent and its subagent through a running gateway. */
@Command(
    name = "smoke",
    description = {
      "Check a running gateway.",
      "A main agent takes turns, a subagent opens, takes turns and closes, and the main agent goes"
          + " on. Each step says what was expected and what was seen. Ends with 0 if all is as it"
          + " should be, with 1 otherwise. Leaves no session behind."
    },
    footer = {"", "Examples:", "  sojourn smoke", "  sojourn smoke http://10.0.0.5:8000 --json"})
final class SmokeCommand extends HelpOption implements Callable<Integer> {

  @Spec private CommandSpec spec = CommandSpec.create();

  @Mixin private GatewayOption gateway = new GatewayOption();

  @Parameters(paramLabel = "URL", arity = "0..1", description = "The same as --url.")
  private @Nullable URI address;

  @Option(names = "--json", description = "Answer in JSON.")
  private boolean json;

  @Override
  public Integer call() {
    GatewayClient client = address == null ? gateway.client() : gateway.client(address);
    Output output = new Output(spec.commandLine().getOut());
    SmokeTest test = new SmokeTest(client);
    test.onCheck(check -> {
      if (!json) {
        output.line((check.ok() ? "ok    " : "FAIL  ") + check.what());
        if (!check.ok()) {
          output.line("      seen: " + check.seen());
        }
      }
    });
    List<SmokeTest.Check> checks = test.run();
    long failed = checks.stream().filter(check -> !check.ok()).count();
    if (json) {
      output.json(
          Map.of(
              "ok",
              failed == 0,
              "checks",
              checks.stream()
                  .map(c -> Map.of("ok", c.ok(), "what", c.what(), "seen", c.seen()))
                  .toList()));
    } else {
      output.line(checks.size() + " checks, " + failed + " failed");
    }
    return failed == 0 ? ExitCode.OK : ExitCode.FAILED;
  }
}
