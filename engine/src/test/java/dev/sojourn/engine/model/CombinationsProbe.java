package dev.sojourn.engine.model;

import dev.sojourn.engine.kernel.Kernels;
import dev.sojourn.engine.kernel.KernelsProbe;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;

/**
 * Compares combinations with what another JVM found, and then, if vectors are used, the kernels
 * with plain Java: models as small as these have no wide matrices or runs of panels. One JVM does
 * both, as most of the time goes into compiling the kernels. Started by {@link EveryWidthTest}.
 */
final class CombinationsProbe {

  private CombinationsProbe() {}

  /** The arguments: a directory, the seed and the number of combinations, the seed of the runs. */
  public static void main(String... arguments) throws IOException {
    Path directory = Path.of(arguments[0]);
    List<Combination> combinations =
        Combination.generate(Long.parseLong(arguments[1]), Integer.parseInt(arguments[2]));
    Random random = new Random(Long.parseLong(arguments[3]));
    int compared = 0;
    try (DataInputStream in =
        new DataInputStream(Files.newInputStream(directory.resolve("expected")))) {
      for (Combination combination : combinations) {
        int[][] expected = new int[combination.sequences().size()][];
        for (int i = 0; i < expected.length; i++) {
          expected[i] = new int[combination.sequences().get(i).length];
          for (int at = 0; at < expected[i].length; at++) {
            expected[i][at] = in.readInt();
          }
        }
        compared += combination.compare(directory, expected, random);
      }
    }
    System.out.println("compared " + compared);
    if (Integer.getInteger(Kernels.WIDTH_PROPERTY, -1) != 0) {
      KernelsProbe.main();
    }
  }

  /** Computes what is expected, for JVMs to compare with. */
  static void prepare(Path directory, List<Combination> combinations) throws IOException {
    try (DataOutputStream out =
        new DataOutputStream(Files.newOutputStream(directory.resolve("expected")))) {
      for (Combination combination : combinations) {
        for (int[] ofSequence : combination.expected(directory)) {
          for (int hash : ofSequence) {
            out.writeInt(hash);
          }
        }
      }
    }
  }
}
