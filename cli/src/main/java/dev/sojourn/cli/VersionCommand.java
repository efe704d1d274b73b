package dev.sojourn.cli;

import java.io.IOException;
import java.io.InputStream;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Says what runs here. */
@Command(name = "version", description = "Show the version of sojourn and of what it runs on.")
final class VersionCommand extends HelpOption implements Runnable {

  @Spec private CommandSpec spec = CommandSpec.create();

  @Option(names = "--json", description = "Answer in JSON.")
  private boolean json;

  @Override
  public void run() {
    Map<String, Object> facts = new TreeMap<>();
    facts.put("sojourn", version());
    facts.put("java", System.getProperty("java.vm.name") + " " + Runtime.version());
    facts.put("os", System.getProperty("os.name") + " " + System.getProperty("os.arch"));
    Output output = new Output(spec.commandLine().getOut());
    if (json) {
      output.json(facts);
    } else {
      facts.forEach((name, value) -> output.line("%-8s %s".formatted(name, value)));
    }
  }

  /** Returns the version that the build wrote beside this class. */
  static String version() {
    try (InputStream in = VersionCommand.class.getResourceAsStream("version.properties")) {
      Properties properties = new Properties();
      properties.load(in);
      return properties.getProperty("version");
    } catch (IOException e) {
      throw new IllegalStateException("version.properties cannot be read", e);
    }
  }

  /** What {@code --version} says. */
  static final class OneLine implements IVersionProvider {

    @Override
    public String[] getVersion() {
      return new String[] {"sojourn " + version()};
    }
  }
}
