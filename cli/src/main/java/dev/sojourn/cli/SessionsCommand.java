package dev.sojourn.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.net.URLEncoder;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Sessions of a running gateway. */
@Command(
    name = "sessions",
    description = "List, show, fork, lease and close the sessions of a running gateway.",
    subcommands = {
      SessionsList.class,
      SessionsShow.class,
      SessionsFork.class,
      SessionsLease.class,
      SessionsClose.class
    },
    footer = {
      "",
      "Examples:",
      "  sojourn sessions list",
      "  sojourn sessions show main-agent --json",
      "  sojourn sessions fork main-agent subagent",
      "  sojourn sessions lease main-agent 7200",
      "  SOJOURN_API_KEY=… sojourn sessions close main-agent --url http://10.0.0.5:8000"
    })
final class SessionsCommand extends HelpOption implements Runnable {

  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public void run() {
    throw new ParameterException(
        spec.commandLine(), "Missing one of list, show, fork, lease, close");
  }

  /** Returns the path of one session; names may hold any character. */
  static String path(String name) {
    return "/v1/sessions/" + URLEncoder.encode(name, UTF_8).replace("+", "%20");
  }
}
