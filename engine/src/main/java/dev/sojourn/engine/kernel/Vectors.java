package dev.sojourn.engine.kernel;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * The width of vectors, fixed when this class is loaded. Species must be constants of a class for
 * C2 to compile their operations to instructions.
 *
 * <p>No method here or in the kernels takes or returns a vector: where C2 does not inline such a
 * method (it does not once the method was compiled on its own), each call makes an object. So some
 * expressions are written out where a method would do.
 */
final class Vectors {

  static final VectorSpecies<Float> F = VectorSpecies.of(float.class, shape());

  /** Floats of a vector. */
  static final int L = F.length();

  static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, F.vectorShape());

  /** L shorts. */
  static final VectorSpecies<Short> S =
      VectorSpecies.of(short.class, VectorShape.forBitSize(F.vectorBitSize() / 2));

  /** L bytes; at 128 bits there is no vector of 4 bytes, so twice as many. */
  static final VectorSpecies<Byte> B =
      VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, F.vectorBitSize() / 4)));

  private Vectors() {}

  /** Returns which L of the bytes of a vector those from {@code o} on are. */
  static int part(int o) {
    return B.length() == L ? 0 : o % B.length() / L;
  }

  private static VectorShape shape() {
    int preferred = Math.min(FloatVector.SPECIES_PREFERRED.vectorBitSize(), 512);
    int bits = Integer.getInteger(Kernels.WIDTH_PROPERTY, preferred);
    if (bits != 128 && bits != 256 && bits != 512) {
      throw new IllegalArgumentException(
          Kernels.WIDTH_PROPERTY + " is 0, 128, 256 or 512, not " + bits);
    }
    return VectorShape.forBitSize(bits);
  }
}
