/** One worker interface and its adapters. */
module dev.sojourn.backend {
  requires transitive dev.sojourn.engine;
  requires transitive dev.sojourn.router;
  requires static org.jspecify;

  exports dev.sojourn.backend;
}
