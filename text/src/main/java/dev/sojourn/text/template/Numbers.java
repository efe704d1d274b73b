package dev.sojourn.text.template;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import org.jspecify.annotations.Nullable;

/**
 * Python's arithmetic: integers without bound (up to the length that Python prints, so that a
 * template cannot compute for ever) and doubles. Integers are {@link Long} where they fit.
 */
final class Numbers {

  /** Python refuses to print integers of more than 4,300 digits; we refuse to make them. */
  private static final int LONGEST_BITS = 14_284;

  private Numbers() {}

  /** Returns an integer as a Long or BigInteger; true is 1; null if the value is no integer. */
  static @Nullable Number integer(Object value) {
    return switch (value) {
      case Long l -> l;
      case Integer i -> (long) i;
      case Boolean b -> b ? 1L : 0L;
      case Short s -> (long) s;
      case Byte b -> (long) b;
      case BigInteger big -> shrink(big);
      default -> null;
    };
  }

  /** Returns whether a value can be calculated with. */
  static boolean numeric(Object value) {
    return value instanceof Number || value instanceof Boolean;
  }

  static double real(Object value) {
    if (value instanceof Boolean b) {
      return b ? 1 : 0;
    }
    double real = ((Number) value).doubleValue();
    if (Double.isInfinite(real) && value instanceof BigInteger) {
      throw new TemplateException("int too large to convert to float");
    }
    return real;
  }

  static boolean truth(Number number) {
    Number integer = integer(number);
    return integer == null ? number.doubleValue() != 0 : !integer.equals(0L);
  }

  static BigInteger big(Number integer) {
    return integer instanceof BigInteger big ? big : BigInteger.valueOf(integer.longValue());
  }

  /** Returns an integer as an int; the nearest one if it does not fit. */
  static int clamp(Number integer) {
    return integer instanceof BigInteger big
        ? big.signum() < 0 ? Integer.MIN_VALUE : Integer.MAX_VALUE
        : Math.clamp(integer.longValue(), Integer.MIN_VALUE, Integer.MAX_VALUE);
  }

  private static Number shrink(BigInteger big) {
    if (big.bitLength() < Long.SIZE) {
      return big.longValue();
    }
    if (big.bitLength() > LONGEST_BITS) {
      throw new TemplateException("an integer of more than 4300 digits");
    }
    return big;
  }

  /** Python's {@code int(x)} of a double. */
  static Number truncate(double x) {
    if (Double.isNaN(x) || Double.isInfinite(x)) {
      throw new TemplateException("cannot convert float " + Printing.str(x) + " to integer");
    }
    return shrink(new BigDecimal(x).toBigInteger());
  }

  /** The result of an operator on two numbers. */
  static Number calculate(Operator operator, Object a, Object b) {
    Number x = integer(a);
    Number y = integer(b);
    if (x == null || y == null) {
      return real(operator, real(a), real(b));
    }
    return switch (operator) {
      case ADD -> add(x, y);
      case SUBTRACT -> subtract(x, y);
      case MULTIPLY -> multiply(x, y);
      case DIVIDE -> divide(x, y);
      case FLOOR_DIVIDE -> floorDivide(x, y);
      case MODULO -> modulo(x, y);
      case POWER -> power(x, y);
    };
  }

  private static Number add(Number x, Number y) {
    if (x instanceof Long a && y instanceof Long b) {
      long sum = a + b;
      if (((a ^ sum) & (b ^ sum)) >= 0) {
        return sum;
      }
    }
    return shrink(big(x).add(big(y)));
  }

  private static Number subtract(Number x, Number y) {
    if (x instanceof Long a && y instanceof Long b) {
      long difference = a - b;
      if (((a ^ b) & (a ^ difference)) >= 0) {
        return difference;
      }
    }
    return shrink(big(x).subtract(big(y)));
  }

  private static Number multiply(Number x, Number y) {
    if (x instanceof Long a && y instanceof Long b) {
      long high = Math.multiplyHigh(a, b);
      long low = a * b;
      if (high == low >> 63) {
        return low;
      }
    }
    return shrink(big(x).multiply(big(y)));
  }

  private static double divide(Number x, Number y) {
    if (y.equals(0L)) {
      throw new TemplateException("division by zero");
    }
    return real(x) / real(y);
  }

  private static Number floorDivide(Number x, Number y) {
    if (y.equals(0L)) {
      throw new TemplateException("integer division or modulo by zero");
    }
    if (x instanceof Long a && y instanceof Long b && b != -1) {
      return Math.floorDiv(a, b);
    }
    BigInteger[] parts = big(x).divideAndRemainder(big(y));
    boolean below = parts[1].signum() != 0 && parts[1].signum() != big(y).signum();
    return shrink(below ? parts[0].subtract(BigInteger.ONE) : parts[0]);
  }

  private static Number modulo(Number x, Number y) {
    if (y.equals(0L)) {
      throw new TemplateException("integer division or modulo by zero");
    }
    if (x instanceof Long a && y instanceof Long b) {
      return Math.floorMod(a, b);
    }
    BigInteger rest = big(x).remainder(big(y));
    boolean other = rest.signum() != 0 && rest.signum() != big(y).signum();
    return shrink(other ? rest.add(big(y)) : rest);
  }

  private static Number power(Number x, Number y) {
    if (big(y).signum() < 0) {
      return real(Operator.POWER, real(x), real(y));
    }
    BigInteger base = big(x);
    if (base.abs().bitLength() > 1
        && (long) clamp(y) * (base.abs().bitLength() - 1) > LONGEST_BITS) {
      throw new TemplateException("an integer of more than 4300 digits");
    }
    // What is left of large exponents has a base of -1, 0 or 1: only their parity matters.
    int exponent =
        y instanceof Long small && small <= LONGEST_BITS
            ? small.intValue()
            : 2 + (big(y).testBit(0) ? 1 : 0);
    return shrink(base.pow(exponent));
  }

  private static double real(Operator operator, double x, double y) {
    return switch (operator) {
      case ADD -> x + y;
      case SUBTRACT -> x - y;
      case MULTIPLY -> x * y;
      case DIVIDE -> x / nonzero(y, "float division by zero");
      case FLOOR_DIVIDE -> {
        double rest = floorMod(x, nonzero(y, "float floor division by zero"));
        yield Math.rint((x - rest) / y);
      }
      case MODULO -> floorMod(x, nonzero(y, "float modulo"));
      case POWER -> {
        if (x == 0 && y < 0) {
          throw new TemplateException("0.0 cannot be raised to a negative power");
        }
        double power = Math.pow(x, y);
        if (Double.isNaN(power) && !Double.isNaN(x) && !Double.isNaN(y)) {
          throw new TemplateException("a negative number cannot be raised to a fractional power");
        }
        if (Double.isInfinite(power) && !Double.isInfinite(x) && !Double.isInfinite(y)) {
          throw new TemplateException("numerical result out of range");
        }
        yield power;
      }
    };
  }

  private static double nonzero(double y, String otherwise) {
    if (y == 0) {
      throw new TemplateException(otherwise);
    }
    return y;
  }

  private static double floorMod(double x, double y) {
    double rest = x % y;
    return rest != 0 && rest < 0 != y < 0 ? rest + y : rest == 0 ? Math.copySign(0, y) : rest;
  }

  static Number negate(Object value) {
    Number integer = integer(value);
    return integer == null ? -real(value) : subtract(0L, integer);
  }

  /** Compares two numbers exactly, as Python does; NaN is above all. */
  static int compare(Object a, Object b) {
    Number x = integer(a);
    Number y = integer(b);
    if (x instanceof Long p && y instanceof Long q) {
      return Long.compare(p, q);
    }
    if (x != null && y != null) {
      return big(x).compareTo(big(y));
    }
    double p = x == null ? real(a) : Double.NaN;
    double q = y == null ? real(b) : Double.NaN;
    if (x == null && y == null) {
      return p == q ? 0 : Double.compare(p, q);
    }
    double only = x == null ? p : q;
    if (Double.isNaN(only) || Double.isInfinite(only)) {
      int side = only < 0 ? -1 : 1;
      return x == null ? side : -side;
    }
    return exact(x, p).compareTo(exact(y, q));
  }

  private static BigDecimal exact(@Nullable Number integer, double real) {
    return integer == null ? new BigDecimal(real) : new BigDecimal(big(integer));
  }

  static boolean isNan(Object value) {
    return (value instanceof Double || value instanceof Float) && Double.isNaN(real(value));
  }

  /** Python's {@code round(value, places)}: half to even, of the exact value. */
  static Number round(Object value, int places) {
    Number integer = integer(value);
    if (integer != null) {
      if (places >= 0) {
        return integer;
      }
      int at = Math.max(places, -LONGEST_BITS);
      return shrink(
          new BigDecimal(big(integer)).setScale(at, RoundingMode.HALF_EVEN).toBigInteger());
    }
    double real = real(value);
    if (Double.isNaN(real) || Double.isInfinite(real) || places > 400) {
      return real;
    }
    BigDecimal exact = new BigDecimal(real);
    double rounded = exact.setScale(Math.max(places, -400), RoundingMode.HALF_EVEN).doubleValue();
    return Math.copySign(rounded, real);
  }
}
