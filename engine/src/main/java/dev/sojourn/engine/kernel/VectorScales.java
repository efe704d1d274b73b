package dev.sojourn.engine.kernel;

import static dev.sojourn.engine.kernel.PackedMatrix.PANEL;
import static dev.sojourn.engine.kernel.Vectors.B;
import static dev.sojourn.engine.kernel.Vectors.F;
import static dev.sojourn.engine.kernel.Vectors.L;
import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.VectorOperators.B2F;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;

/**
 * Computes, before a loop over columns of a quantised type, what its quants are multiplied with and
 * what is added: so the loop is the same for all types of as many bits, however they come by the
 * two.
 */
final class VectorScales {

  /** Floats of a sub-block: 32 rows' scales, and their offsets. */
  static final int PAIR = 2 * PANEL;

  /** Where in the scratch the scales and minimums of a block are while its sub-blocks' are made. */
  private static final int BLOCK_AT = ProductScratch.SCALES - PAIR;

  private VectorScales() {}

  /**
   * Writes a pair for each sub-block of {@code n} columns, whole blocks, to the scratch from {@code
   * to} on.
   */
  static void expand(PackedMatrix w, int panel, int column, int n, ProductScratch scratch, int to) {
    WeightType type = w.type();
    float[] out = scratch.scales;
    long at = w.scales(panel, column);
    int blocks = n / type.block();
    if (type.own > 0) {
      for (int block = 0; block < blocks; block++) {
        VectorUnpack.halves(w.data(), at, type.halves * PANEL, scratch, BLOCK_AT);
        long own = at + (long) Short.BYTES * PANEL * type.halves;
        int subBlocks = type.block() / type.subBlock;
        int pairs = to + block * subBlocks * PAIR;
        for (int o = 0; o < PANEL; o += L) {
          if (type.own == 2) {
            own(w.data(), own, o, subBlocks, out, pairs);
          } else {
            ownSymmetric(w.data(), own, o, subBlocks, -type.zero(), out, pairs);
          }
        }
        at += type.scaleBytes();
      }
    } else if (type.halves == 2) {
      VectorUnpack.halves(w.data(), at, blocks * PAIR, scratch, to);
    } else {
      // Halfway through the pairs: each is read before the pairs get there.
      VectorUnpack.halves(w.data(), at, blocks * PANEL, scratch, to + blocks * PANEL);
      spread(blocks, -type.zero(), out, to);
    }
  }

  private static void spread(int blocks, float factor, float[] out, int to) {
    for (int block = 0; block < blocks; block++) {
      int from = to + (blocks + block) * PANEL;
      int pair = to + block * PAIR;
      for (int o = 0; o < PANEL; o += L) {
        FloatVector scale = FloatVector.fromArray(F, out, from + o);
        scale.intoArray(out, pair + o);
        scale.mul(factor).intoArray(out, pair + PANEL + o);
      }
    }
  }

  private static void own(MemorySegment m, long at, int o, int subBlocks, float[] out, int to) {
    long bytes = at + o - o % B.length();
    int part = Vectors.part(o);
    FloatVector scale = FloatVector.fromArray(F, out, BLOCK_AT + o);
    FloatVector minimum = FloatVector.fromArray(F, out, BLOCK_AT + PANEL + o);
    for (int sub = 0; sub < subBlocks; sub++) {
      ByteVector scales = ByteVector.fromMemorySegment(B, m, bytes + sub * 64L, LITTLE_ENDIAN);
      ByteVector minimums =
          ByteVector.fromMemorySegment(B, m, bytes + sub * 64L + PANEL, LITTLE_ENDIAN);
      int pair = to + sub * PAIR + o;
      ((FloatVector) scales.convertShape(B2F, F, part)).mul(scale).intoArray(out, pair);
      ((FloatVector) minimums.convertShape(B2F, F, part))
          .mul(minimum)
          .neg()
          .intoArray(out, pair + PANEL);
    }
  }

  private static void ownSymmetric(
      MemorySegment m, long at, int o, int subBlocks, float factor, float[] out, int to) {
    long bytes = at + o - o % B.length();
    int part = Vectors.part(o);
    FloatVector scale = FloatVector.fromArray(F, out, BLOCK_AT + o);
    for (int sub = 0; sub < subBlocks; sub++) {
      ByteVector scales =
          ByteVector.fromMemorySegment(B, m, bytes + sub * (long) PANEL, LITTLE_ENDIAN);
      FloatVector product = ((FloatVector) scales.convertShape(B2F, F, part)).mul(scale);
      int pair = to + sub * PAIR + o;
      product.intoArray(out, pair);
      product.mul(factor).intoArray(out, pair + PANEL);
    }
  }
}
