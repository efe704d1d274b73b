/** HTTP: the OpenAI surface, sessions, health and metrics. */
module dev.sojourn.server {
  requires transitive dev.sojourn.backend;
  requires transitive dev.sojourn.router;
  requires transitive dev.sojourn.text;
  requires static org.jspecify;
}
