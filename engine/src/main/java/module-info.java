/** Inference on the CPU: paged KV with sessions, continuous batching, Llama-family models. */
module dev.sojourn.engine {
  requires transitive dev.sojourn.core;
  requires transitive dev.sojourn.text;
  requires java.management;
  requires jdk.incubator.vector;
  requires jdk.management;
  requires tools.jackson.databind;
  requires static org.jspecify;

  exports dev.sojourn.engine;
  exports dev.sojourn.engine.kernel to
      dev.sojourn.bench;
  exports dev.sojourn.engine.model;
  exports dev.sojourn.engine.sample;
  exports dev.sojourn.engine.weights;
}
