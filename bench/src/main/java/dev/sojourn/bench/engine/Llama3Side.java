package dev.sojourn.bench.engine;

import dev.sojourn.core.Clock;
import java.io.IOException;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/**
 * llama3.java as a side: its loader and its loop that generates. It computes a context from where
 * it is told to, so contexts that are decoded from have KV of zeros. One sequence at a time.
 */
final class Llama3Side implements Answers {

  private static final int CONTEXT = 8192 + 256; // for which it keeps KV, in the heap
  private static final int BATCH = 16; // tokens of a prompt at a time, as its own default

  private final Clock clock = Clock.system();
  private final Class<?> llama = type("Llama");
  private final Object model;
  private final Object state;
  private final Object greedy;
  private final int vocabulary;

  private Llama3Side(Path path) throws ReflectiveOperationException {
    model = Foreign.call(type("ModelLoader"), "loadModel", path, CONTEXT, true);
    Object configuration = Foreign.call(model, "configuration");
    vocabulary = (int) field(configuration.getClass(), "vocabularySize").get(configuration);
    // Not by Llama.createNewState: it wants Llama 3's special tokens in the vocabulary.
    Constructor<?> states =
        type("Llama$State").getDeclaredConstructor(configuration.getClass(), int.class);
    states.setAccessible(true);
    state = states.newInstance(configuration, BATCH);
    greedy = field(type("Sampler"), "ARGMAX").get(null);
  }

  private static Class<?> type(String name) throws ClassNotFoundException {
    return Foreign.type("com.llama4j." + name);
  }

  private static Field field(Class<?> type, String name) throws NoSuchFieldException {
    Field field = type.getDeclaredField(name);
    field.setAccessible(true);
    return field;
  }

  /** Answers for the model that the first argument names. */
  public static void main(String[] args) throws IOException {
    Answers.run(() -> new Llama3Side(Path.of(args[0])));
    System.exit(0);
  }

  @Override
  public String setup() {
    return "KV F32";
  }

  @Override
  public double prefill(int tokens) throws ReflectiveOperationException {
    return generate(0, tokens, 1)[0];
  }

  @Override
  public double decode(int batch, int context, int steps) throws ReflectiveOperationException {
    if (batch > 1) {
      throw new UnsupportedOperationException("one sequence at a time");
    }
    double[] millis = generate(context, 0, steps + 1);
    return millis[steps] - millis[0];
  }

  /** Returns the milliseconds after which each of {@code most} tokens came. */
  private double[] generate(int from, int prompt, int most) throws ReflectiveOperationException {
    if (from + prompt + most > CONTEXT) {
      throw new UnsupportedOperationException("contexts of up to " + CONTEXT + " tokens here");
    }
    double[] millis = new double[most];
    int[] count = {0};
    long start = clock.nanos();
    IntConsumer heard =
        token -> {
          if (count[0] < most) {
            millis[count[0]++] = (clock.nanos() - start) / 1e6;
          }
        };
    List<Integer> tokens =
        IntStream.range(0, prompt).mapToObj(i -> (i * 7919 + 300) % vocabulary).toList();
    Foreign.call(
        llama,
        "generateTokens",
        model,
        state,
        from,
        tokens,
        Set.of(),
        from + prompt + most,
        greedy,
        false,
        heard);
    if (count[0] < most) {
      throw new IllegalStateException("it generated " + count[0] + " tokens instead of " + most);
    }
    return millis;
  }
}
