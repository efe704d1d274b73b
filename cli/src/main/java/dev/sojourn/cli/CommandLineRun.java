package dev.sojourn.cli;

import dev.sojourn.bench.GatewayException;
import dev.sojourn.core.FaultException;
import dev.sojourn.engine.weights.ModelFileException;
import java.io.PrintWriter;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/**
 * One command line, from its words to its exit code. Every error ends here, as one line: what is
 * wrong, where, and what to do. Only a fault of our own shows a stack trace.
 */
final class CommandLineRun {

  private static final int UNAUTHENTICATED = 401;

  private final Map<String, String> environment;
  private final PrintWriter out;
  private final PrintWriter err;

  CommandLineRun(Map<String, String> environment, PrintWriter out, PrintWriter err) {
    this.environment = environment;
    this.out = out;
    this.err = err;
  }

  int run(List<String> args) {
    try {
      Settings settings = new Settings(environment, configFile(args));
      return commandLine(settings).execute(args.toArray(String[]::new));
    } catch (UserError e) {
      return report(e);
    } catch (OutOfMemoryError e) {
      return report(
          UserError.failed(
              "out of memory: "
                  + e.getMessage()
                  + "; if it is the heap that is full, give it more: SOJOURN_JVM_ARGS=-Xmx8g"));
    }
  }

  /** Returns the command, ready to parse; tests look at its declarations. */
  CommandLine commandLine(Settings settings) {
    return new CommandLine(new SojournCommand())
        .setOut(out)
        .setErr(err)
        .setDefaultValueProvider(settings)
        .registerConverter(URI.class, CommandLineRun::address)
        .setCaseInsensitiveEnumValuesAllowed(true)
        .setUsageHelpAutoWidth(true)
        .setExecutionStrategy(parsed -> execute(settings, parsed))
        .setParameterExceptionHandler((wrong, _) -> usage(settings, wrong))
        .setExecutionExceptionHandler((wrong, _, _) -> failure(wrong));
  }

  /** Reads the file that {@code --config} or {@code SOJOURN_CONFIG} names, before all else. */
  private ConfigFile configFile(List<String> args) {
    ConfigOption option = new ConfigOption();
    try {
      new CommandLine(option)
          .setUnmatchedArgumentsAllowed(true)
          .parseArgs(args.toArray(String[]::new));
    } catch (ParameterException e) {
      return ConfigFile.NONE; // the full parse says what is wrong
    }
    Path path = option.config;
    if (path == null) {
      String variable = environment.getOrDefault(Settings.variable(Settings.CONFIG), "");
      return variable.isEmpty() ? ConfigFile.NONE : ConfigFile.read(path(variable));
    }
    return ConfigFile.read(path);
  }

  private static Path path(String variable) {
    try {
      return Path.of(variable);
    } catch (InvalidPathException e) {
      throw UserError.usage("SOJOURN_CONFIG: it is a file's path, not '" + variable + "'");
    }
  }

  /** Reads the address of a gateway; without a scheme it is plain HTTP. */
  private static URI address(String text) throws URISyntaxException {
    return new URI(text.contains("://") ? text : "http://" + text);
  }

  private int execute(Settings settings, ParseResult parsed) {
    List<CommandLine> commands = parsed.asCommandLineList();
    CommandLine last = commands.getLast();
    List<String> unmatched = last.getParseResult().unmatched();
    if (!unmatched.isEmpty() && !last.getSubcommands().isEmpty()) {
      // picocli would show the help of the command above.
      return usage(settings, new UnmatchedArgumentException(last, unmatched));
    }
    try {
      if (commands.stream()
          .noneMatch(c -> c.isUsageHelpRequested() || c.isVersionHelpRequested())) {
        settings.checkEnvironment(commands.getFirst().getCommandSpec());
        settings.checkKeys(last.getCommandSpec());
      }
    } catch (UserError e) {
      return report(e);
    }
    return new CommandLine.RunLast().execute(parsed);
  }

  private int usage(Settings settings, ParameterException wrong) {
    String message = WrongWords.message(wrong);
    String origin =
        wrong.getArgSpec() == null
            ? ""
            : settings.origin(wrong.getArgSpec()).map(where -> where + ": ").orElse("");
    String command = wrong.getCommandLine().getCommandSpec().qualifiedName();
    return report(UserError.usage(origin + message + "; see '" + command + " --help'"));
  }

  private int failure(Exception wrong) {
    return switch (wrong) {
      case GatewayException e when e.status() == UNAUTHENTICATED ->
          report(
              UserError.failed(
                  "the gateway takes no request without a key that it knows; give yours as"
                      + " SOJOURN_API_KEY or --api-key"));
      case GatewayException e -> report(UserError.failed(String.valueOf(e.getMessage())));
      case ModelFileException e -> report(UserError.failed(String.valueOf(e.getMessage())));
      case UserError e -> report(e);
      case FaultException e -> report(UserError.failed(e.fault().message()));
      default -> {
        err.println("sojourn: this is a fault of sojourn itself, please report it:");
        wrong.printStackTrace(err);
        yield ExitCode.FAILED;
      }
    };
  }

  private int report(UserError e) {
    err.println("sojourn: " + e.getMessage());
    return e.exitCode();
  }

  /** Finds {@code --config} among words that it does not understand. */
  @Command
  private static final class ConfigOption {

    @Option(names = Settings.CONFIG)
    private @Nullable Path config;
  }
}
