package dev.sojourn.engine.kernel;

import static jdk.incubator.vector.VectorOperators.B2I;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.S2I;
import static jdk.incubator.vector.VectorOperators.ZERO_EXTEND_B2I;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * The width of vectors, fixed when this class is loaded, and how stored numbers become floats.
 *
 * <p>Species must be constants of the class for C2 to compile their operations to instructions, and
 * a method that returns a vector must be inlined, or each call allocates: so the methods here are
 * short.
 */
final class Vectors {

  static final VectorSpecies<Float> F = VectorSpecies.of(float.class, shape());

  /** Floats of a vector. */
  static final int L = F.length();

  private static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, F.vectorShape());

  private static final VectorSpecies<Short> S =
      VectorSpecies.of(short.class, VectorShape.forBitSize(F.vectorBitSize() / 2));

  /** Bytes for L floats; at 128 bits there is no vector of 4 bytes, so twice as many. */
  private static final VectorSpecies<Byte> B =
      VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, F.vectorBitSize() / 4)));

  private static final ByteOrder LITTLE = ByteOrder.LITTLE_ENDIAN;

  private Vectors() {}

  private static VectorShape shape() {
    int preferred = Math.min(FloatVector.SPECIES_PREFERRED.vectorBitSize(), 512);
    int bits = Integer.getInteger(Kernels.WIDTH_PROPERTY, preferred);
    if (bits != 128 && bits != 256 && bits != 512) {
      throw new IllegalArgumentException(
          Kernels.WIDTH_PROPERTY + " is 0, 128, 256 or 512, not " + bits);
    }
    return VectorShape.forBitSize(bits);
  }

  static FloatVector floats(MemorySegment m, long at) {
    return FloatVector.fromMemorySegment(F, m, at, LITTLE);
  }

  /** Reads upper halves of floats. */
  static FloatVector bfloats(MemorySegment m, long at) {
    return shorts(m, at).lanewise(LSHL, 16).reinterpretAsFloats();
  }

  /**
   * Reads halves. A half's exponent and fraction, moved to where a float's are, make the number
   * times 2^-112, denormal halves included; the sign comes along, as S2I extends it.
   */
  static FloatVector halves(MemorySegment m, long at) {
    return shorts(m, at).lanewise(LSHL, 13).and(0x8fffe000).reinterpretAsFloats().mul(0x1p112f);
  }

  private static IntVector shorts(MemorySegment m, long at) {
    return (IntVector) ShortVector.fromMemorySegment(S, m, at, LITTLE).convertShape(S2I, I, 0);
  }

  /** Reads bytes {@code o ..} of those at {@code at} as signed numbers. */
  static FloatVector signedBytes(MemorySegment m, long at, int o) {
    return toFloats(bytes(m, at, o, B2I));
  }

  /** Reads the low halves of bytes {@code o ..} of those at {@code at}, less 8. */
  static FloatVector lowNibbles(MemorySegment m, long at, int o) {
    return toFloats(bytes(m, at, o, ZERO_EXTEND_B2I).and(15).sub(8));
  }

  /** Reads the high halves of bytes {@code o ..} of those at {@code at}, less 8. */
  static FloatVector highNibbles(MemorySegment m, long at, int o) {
    return toFloats(bytes(m, at, o, ZERO_EXTEND_B2I).lanewise(LSHR, 4).sub(8));
  }

  private static IntVector bytes(
      MemorySegment m, long at, int o, VectorOperators.Conversion<Byte, Integer> extend) {
    int aligned = o & -B.length();
    ByteVector bytes = ByteVector.fromMemorySegment(B, m, at + aligned, LITTLE);
    return (IntVector) bytes.convertShape(extend, I, (o - aligned) / L);
  }

  private static FloatVector toFloats(IntVector ints) {
    return (FloatVector) ints.convertShape(I2F, F, 0);
  }

  /** {@link Exp#exp}, lane by lane. */
  static FloatVector exp(FloatVector x) {
    FloatVector a = x.min(Exp.HIGHEST);
    FloatVector rounded = a.fma(constant(Exp.LOG2_E), constant(Exp.ROUNDER));
    FloatVector n = rounded.sub(Exp.ROUNDER);
    FloatVector r = n.fma(constant(Exp.MINUS_LN2_HIGH), a);
    r = n.fma(constant(Exp.MINUS_LN2_LOW), r);
    FloatVector p = r.fma(constant(Exp.P5), constant(Exp.P4));
    p = r.fma(p, constant(Exp.P3));
    p = r.fma(p, constant(Exp.P2));
    p = r.fma(p, constant(Exp.P1));
    p = r.fma(p, constant(Exp.P0));
    p = r.mul(r).fma(p, r).add(1);
    FloatVector power =
        rounded.reinterpretAsInts().lanewise(LSHL, 23).add(0x3f800000).reinterpretAsFloats();
    return p.mul(power).blend(0, x.compare(VectorOperators.LT, Exp.LOWEST));
  }

  private static FloatVector constant(float value) {
    return FloatVector.broadcast(F, value);
  }
}
