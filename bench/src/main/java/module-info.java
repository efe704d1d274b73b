/** Whole-system workloads behind {@code sojourn bench}. */
module dev.sojourn.bench {
  requires transitive dev.sojourn.server;
  requires static org.jspecify;
}
