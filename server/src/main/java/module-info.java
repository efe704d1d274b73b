/** HTTP: the OpenAI surface, sessions, health and metrics. */
module dev.sojourn.server {
  requires transitive dev.sojourn.backend;
  requires transitive dev.sojourn.router;
  requires transitive dev.sojourn.text;
  requires io.netty.buffer;
  requires io.netty.codec;
  requires io.netty.codec.http;
  requires io.netty.common;
  requires io.netty.transport;
  requires io.prometheus.metrics.core;
  requires io.prometheus.metrics.model;
  requires io.prometheus.writer.text;
  requires java.management;
  requires jdk.management;
  requires tools.jackson.dataformat.yaml;
  requires tools.jackson.databind;
  requires static org.jspecify;

  exports dev.sojourn.server;
  exports dev.sojourn.server.access;
  exports dev.sojourn.server.http;
}
