package dev.sojourn.bench.engine;

/** Something that is measured, in tokens per second. */
public sealed interface Point {

  /**
   * A prompt, from nothing to the logits after its last token.
   *
   * @param tokens of the prompt
   */
  record Prefill(int tokens) implements Point {

    public Prefill {
      positive("tokens", tokens);
    }

    @Override
    public String label() {
      return "prefill " + tokens;
    }
  }

  /**
   * The next tokens of several contexts, one of each in every step.
   *
   * @param batch contexts
   * @param context tokens that each of them has before the first step
   */
  record Decode(int batch, int context) implements Point {

    public Decode {
      positive("batch", batch);
      positive("context", context);
    }

    @Override
    public String label() {
      return "decode " + batch + " at " + context;
    }
  }

  /** Returns what tables and messages call it. */
  String label();

  private static void positive(String what, int value) {
    if (value < 1) {
      throw new IllegalArgumentException(what + " is at least 1, not " + value);
    }
  }
}
