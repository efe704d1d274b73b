package dev.sojourn.engine.model;

import dev.sojourn.engine.weights.TensorType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/** Prints a digest of logits, for comparison with other JVMs; started by {@link EveryWidthTest}. */
final class LogitsProbe {

  private LogitsProbe() {}

  /** The argument is a directory for model files. */
  public static void main(String... arguments) throws IOException {
    System.out.println(digest(Path.of(arguments[0])));
  }

  /** Returns a line for each type of weights and KV: what 37 tokens and then 3 and 1 more give. */
  static String digest(Path directory) throws IOException {
    StringBuilder lines = new StringBuilder();
    for (TensorType type : TensorType.values()) {
      if (type.supported()) {
        lines.append(digest(directory, type, KvType.F32));
      }
    }
    for (KvType kvType : KvType.values()) {
      lines.append(digest(directory, TensorType.F16, kvType));
    }
    return lines.toString();
  }

  private static String digest(Path directory, TensorType type, KvType kvType) throws IOException {
    int headDim = type.blockElements() == 1 ? 20 : 16; // a tail, where rows need no whole blocks
    TinyModel model =
        new TinyModel("qwen3", type, TinyModel.headDim(type, headDim), true, false, "none");
    try (LoadedModel loaded = model.load(directory, 1, kvType);
        ModelRunner runner = loaded.newRunner(4)) {
      Run run = new Run(runner, 3, 1, 0);
      int hash = 1;
      for (int[] part : new int[][] {Run.prompt(37, 5), {1, 2, 3}, {4}}) {
        hash = 31 * hash + Arrays.hashCode(run.feed(part));
      }
      return type + " " + kvType + " " + hash + "\n";
    } finally {
      Files.delete(model.path(directory));
    }
  }
}
