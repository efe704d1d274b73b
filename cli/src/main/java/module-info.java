/** The {@code sojourn} command. */
module dev.sojourn.cli {
  requires dev.sojourn.server;
  requires dev.sojourn.bench;
  requires info.picocli;
  requires java.management;
  requires jdk.management;
  requires tools.jackson.databind;
  requires tools.jackson.dataformat.yaml;
  requires static org.jspecify;

  exports dev.sojourn.cli;

  opens dev.sojourn.cli to
      info.picocli;
}
