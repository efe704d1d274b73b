package dev.sojourn.bench.engine;

import dev.sojourn.core.Clock;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;

/**
 * jinfer as a side: its loader, and a model's state that is fed tokens, as its own benchmark does
 * it. A context is computed anew for every question. One sequence at a time.
 */
final class JinferSide implements Answers {

  private static final int CHUNK = 512; // tokens of a prompt at a time

  private final Clock clock = Clock.system();
  private final Class<?> batches;
  private final Object model;
  private final int vocabulary;

  private JinferSide(Path path) throws ReflectiveOperationException {
    batches = Foreign.type("com.qxotic.jinfer.Batch", "com.qxotic.jinfer.boundary.Batch");
    Class<?> models = Foreign.type("com.qxotic.jinfer.chat.Models");
    Object loaded = Foreign.call(models, "load", path, Arena.ofAuto(), Map.of());
    model = Foreign.call(loaded, "model");
    Object configuration = Foreign.call(model, "configuration");
    vocabulary = (int) Foreign.call(configuration, "vocabularySize");
  }

  /** Answers for the model that the first argument names. */
  public static void main(String[] args) throws IOException {
    Answers.run(() -> new JinferSide(Path.of(args[0])));
    System.exit(0);
  }

  @Override
  public String setup() {
    return "kernels in Java";
  }

  @Override
  public double prefill(int tokens) throws ReflectiveOperationException {
    Object state = Foreign.call(model, "newState", tokens, CHUNK);
    long start = clock.nanos();
    ingest(state, tokens);
    return (clock.nanos() - start) / 1e6;
  }

  @Override
  public double decode(int batch, int context, int steps) throws ReflectiveOperationException {
    if (batch > 1) {
      throw new UnsupportedOperationException("one sequence at a time");
    }
    Object state = Foreign.call(model, "newState", context + 1 + steps, CHUNK);
    ingest(state, context);
    long start = 0;
    for (int i = 0; i <= steps; i++) {
      if (i == 1) {
        start = clock.nanos();
      }
      Foreign.call(model, "ingest", state, Foreign.call(batches, "step", token(i)));
      Foreign.call(model, "logits", state);
    }
    return (clock.nanos() - start) / 1e6;
  }

  private void ingest(Object state, int tokens) throws ReflectiveOperationException {
    int[] prompt = new int[tokens];
    Arrays.setAll(prompt, this::token);
    for (int from = 0; from < tokens; from += CHUNK) {
      int[] chunk = Arrays.copyOfRange(prompt, from, Math.min(tokens, from + CHUNK));
      Foreign.call(model, "ingest", state, Foreign.call(batches, "prefill", (Object) chunk));
    }
    Foreign.call(model, "logits", state);
  }

  private int token(int index) {
    return (index * 7919 + 300) % vocabulary;
  }
}
