package dev.sojourn.cli;

import dev.sojourn.core.Clock;
import dev.sojourn.server.Gateway;
import dev.sojourn.server.GatewayConfig;
import dev.sojourn.server.access.ApiKeys;
import dev.sojourn.server.http.ListenException;
import java.io.IOException;
import java.io.PrintWriter;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Serves a model until the process is told to end. */
@Command(
    name = "serve",
    description = {
      "Serve a model over the OpenAI API, with sessions.",
      "Without --model, a small one with random weights is made and served by two ranks: its words"
          + " mean nothing, everything else is real."
    },
    sortOptions = false,
    footer = {
      "",
      "Examples:",
      "  sojourn serve",
      "  sojourn serve --model qwen3-0.6b-q8_0.gguf --kv-tokens 65536 --port 9000",
      "  SOJOURN_PORT=9000 sojourn serve --config sojourn.yaml",
      "",
      "Every option can stand in the configuration file, without its dashes (port: 9000), and in"
          + " the environment (SOJOURN_PORT). A flag beats the environment, which beats the file.",
      "",
      "Ctrl-C and SIGTERM stop it: new requests get 503, running ones have --drain-seconds to end."
    })
final class ServeCommand extends HelpOption implements Callable<Integer> {

  @Spec private CommandSpec spec = CommandSpec.create();
  @Mixin final ModelOptions model = new ModelOptions();
  @Mixin final ServeOptions serve = new ServeOptions();

  @Option(
      names = Settings.CONFIG,
      paramLabel = "FILE",
      description = "YAML file of these options (default: none).")
  @SuppressWarnings("UnusedVariable") // read by CommandLineRun, before all other options
  private @Nullable Path config;

  @Override
  public Integer call() {
    GatewayConfig gatewayConfig = serve.config();
    model.check();
    checkKeys(gatewayConfig);
    checkPort();
    PrintWriter err = spec.commandLine().getErr();
    ProgressLine progress = new ProgressLine(err, ProgressLine.onTerminal(), Clock.system());
    try (Shutdown shutdown = Shutdown.onSignal();
        LocalModel local = LocalModel.load(model, SyntheticCache.directory(), progress);
        Gateway gateway = Gateway.start(gatewayConfig, local.served(), Clock.system())) {
      local.tooLittleKv().ifPresent(warning -> err.println("Warning: " + warning));
      announce(local, gateway, gatewayConfig.apiKeys().isPresent());
      shutdown.await();
      err.println("Stopping; running requests have " + gatewayConfig.drain().toSeconds() + " s.");
    } catch (ListenException e) {
      throw UserError.failed(e.getMessage() + "; choose another --port or --host");
    } catch (IOException e) {
      throw UserError.failed(UserError.reason(e));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return ExitCode.INTERRUPTED;
    }
    return ExitCode.OK;
  }

  /** Fails at once where the file of keys is wrong; the gateway reads it again. */
  private static void checkKeys(GatewayConfig config) {
    if (config.apiKeys().isEmpty()) {
      return;
    }
    Path file = config.apiKeys().get();
    try {
      ApiKeys.read(file);
    } catch (IOException e) {
      String of = "API keys in " + file + ": ";
      String reason = UserError.reason(e);
      throw UserError.failed(reason.startsWith(of) ? reason : of + reason);
    }
  }

  /** Fails at once where the port is taken: loading a model can take minutes. */
  private void checkPort() {
    try (ServerSocket probe = new ServerSocket()) {
      probe.setReuseAddress(true);
      probe.bind(new InetSocketAddress(serve.host(), serve.port()));
    } catch (IOException e) {
      throw UserError.failed(
          "cannot listen on "
              + serve.host()
              + " port "
              + serve.port()
              + " ("
              + e.getMessage()
              + "); choose another --port or --host");
    }
  }

  private void announce(LocalModel local, Gateway gateway, boolean keys) {
    String url = url(gateway.address());
    String id = local.served().id();
    int ranks = local.served().runners().size();
    Output output = new Output(spec.commandLine().getOut());
    output.line(
        "Sojourn "
            + VersionCommand.version()
            + " serves "
            + id
            + " at "
            + url
            + " ("
            + ranks
            + (ranks == 1 ? " rank with " : " ranks with ")
            + local.kvTokens()
            + (ranks == 1 ? " KV tokens)" : " KV tokens each)"));
    output.line(
        "Chats: a turn renders "
            + (gateway.suffixLocal() ? "what is new" : "the whole conversation")
            + "; calls are read as "
            + lower(gateway.answers().calls())
            + ", reasoning as "
            + lower(gateway.answers().reasoning()));
    output.line("");
    output.line(keys ? "Try, with a key of yours:" : "Try:");
    output.line("  curl " + url + "/v1/chat/completions \\");
    if (keys) {
      output.line("    -H 'Authorization: Bearer KEY' \\");
    }
    output.line("    -H 'Content-Type: application/json' -d '{");
    output.line("    \"model\": \"" + id + "\", \"max_tokens\": 24,");
    output.line("    \"messages\": [{\"role\": \"user\", \"content\": \"Hello!\"}]}'");
    output.line("");
    output.line("Ctrl-C stops it.");
  }

  private static String lower(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }

  /** Returns where a client on this machine reaches an address. */
  static String url(InetSocketAddress address) {
    InetAddress host = address.getAddress();
    String name =
        host.isAnyLocalAddress() || host.isLoopbackAddress()
            ? "127.0.0.1"
            : host.getHostAddress().indexOf(':') >= 0
                ? "[" + host.getHostAddress() + "]"
                : host.getHostAddress();
    return "http://" + name + ":" + address.getPort();
  }
}
