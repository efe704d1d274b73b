/** Workloads behind {@code sojourn bench}, and the client that drives them. */
module dev.sojourn.bench {
  requires transitive dev.sojourn.server;
  requires transitive tools.jackson.databind;
  requires java.management;
  requires jdk.incubator.vector;
  requires static org.jspecify;

  exports dev.sojourn.bench;
  exports dev.sojourn.bench.engine;
}
