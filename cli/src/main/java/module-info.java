/** The {@code sojourn} command. */
module dev.sojourn.cli {
  requires dev.sojourn.server;
  requires dev.sojourn.bench;
  requires static org.jspecify;
}
