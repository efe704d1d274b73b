package dev.sojourn.engine.weights;

/** Hears how far a long piece of work has come. Called often and from one thread at a time. */
@FunctionalInterface
public interface Progress {

  /** Nobody listens. */
  Progress NONE = (what, done, total) -> {};

  /**
   * Tells that {@code done} of {@code total} bytes, or steps, are through.
   *
   * @param what the work, in a few words for a person ({@code "writing model.gguf"})
   */
  void at(String what, long done, long total);
}
