package dev.sojourn.text.template;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A part of a template that has a value. Immutable once its names are bound. */
sealed interface Expression {

  /** Returns the value in a frame. */
  Object evaluate(Frame frame);

  /** A literal. */
  record Constant(Object value) implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      return value;
    }
  }

  /** A variable. */
  record Name(Variable variable) implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      return variable.get(frame);
    }
  }

  /** {@code [a, b]}. */
  record ListOf(List<Expression> items) implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      List<Object> values = new ArrayList<>(items.size());
      for (Expression item : items) {
        values.add(item.evaluate(frame));
      }
      return values;
    }
  }

  /** {@code (a, b)}. */
  record TupleOf(List<Expression> items) implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      List<Object> values = new ArrayList<>(items.size());
      for (Expression item : items) {
        values.add(item.evaluate(frame));
      }
      return new Tuple(values);
    }
  }

  /** {@code {a: b}}. */
  record DictOf(List<Expression> keys, List<Expression> values) implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      Map<Object, Object> map = new LinkedHashMap<>();
      for (int i = 0; i < keys.size(); i++) {
        Values.put(map, keys.get(i).evaluate(frame), values.get(i).evaluate(frame));
      }
      return map;
    }
  }

  /** {@code a.name}. */
  record Attribute(Expression of, String name) implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      return Attributes.attribute(of.evaluate(frame), name);
    }
  }

  /** {@code a[key]}. */
  record Item(Expression of, Expression key) implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      return Attributes.item(of.evaluate(frame), key.evaluate(frame));
    }
  }

  /** {@code a[start:stop:step]}. */
  record Slice(
      Expression of,
      @Nullable Expression start,
      @Nullable Expression stop,
      @Nullable Expression step)
      implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      return frame.rendering.spent(
          Attributes.slice(
              of.evaluate(frame),
              part(start, frame),
              part(stop, frame),
              part(step, frame),
              frame.rendering));
    }

    private static Object part(@Nullable Expression part, Frame frame) {
      return part == null ? None.NONE : part.evaluate(frame);
    }
  }

  /** {@code a(…)}. */
  record Call(Expression called, ArgumentList arguments) implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      return call(frame, called.evaluate(frame), arguments.evaluate(frame));
    }

    /** Calls with the body of a call block as one argument more. */
    Object withCaller(Frame frame, Macro caller) {
      Object callee = called.evaluate(frame);
      Arguments given = arguments.evaluate(frame);
      Map<String, Object> named = new LinkedHashMap<>(given.named());
      if (named.put("caller", caller) != null) {
        throw new TemplateException("two values for the argument 'caller'");
      }
      return call(
          frame, callee, new Arguments(given.positional(), Collections.unmodifiableMap(named)));
    }

    private static Object call(Frame frame, Object callee, Arguments arguments) {
      return switch (callee) {
        case Callable callable -> {
          frame.rendering.step();
          yield frame.rendering.spent(callable.call(arguments, frame.rendering));
        }
        case Undefined undefined -> throw undefined.failure();
        default ->
            throw new TemplateException("'" + Values.typeName(callee) + "' object is not callable");
      };
    }
  }

  /** {@code a|name(…)}; without an input, of a block. */
  record Filter(
      @Nullable Expression input,
      String name,
      Filters.@Nullable Function function,
      ArgumentList arguments)
      implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      if (input == null) {
        throw new IllegalStateException("the filter of a block has no input of its own");
      }
      return apply(input.evaluate(frame), frame);
    }

    /** Filters a value. */
    Object apply(Object value, Frame frame) {
      if (function == null) {
        throw new TemplateException("no filter named '" + name + "'");
      }
      Rendering rendering = frame.rendering;
      rendering.spent(value);
      return rendering.spent(function.apply(value, arguments.evaluate(frame), rendering));
    }
  }

  /** {@code a is name(…)}. */
  record Test(
      Expression value, String name, Tests.@Nullable Function function, ArgumentList arguments)
      implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      if (function == null) {
        throw new TemplateException("no test named '" + name + "'");
      }
      return function.test(value.evaluate(frame), arguments.evaluate(frame), frame.rendering);
    }
  }

  /** {@code not a}. */
  record Not(Expression value) implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      return !Values.truth(value.evaluate(frame));
    }
  }

  /** {@code a and b}: the first falsy value, or the last. */
  record And(Expression left, Expression right) implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      Object value = left.evaluate(frame);
      return Values.truth(value) ? right.evaluate(frame) : value;
    }
  }

  /** {@code a or b}: the first truthy value, or the last. */
  record Or(Expression left, Expression right) implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      Object value = left.evaluate(frame);
      return Values.truth(value) ? value : right.evaluate(frame);
    }
  }

  /** {@code a if test else b}. */
  record Conditional(Expression test, Expression value, @Nullable Expression otherwise)
      implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      if (Values.truth(test.evaluate(frame))) {
        return value.evaluate(frame);
      }
      return otherwise == null
          ? new Undefined("the inline if was false and has no else")
          : otherwise.evaluate(frame);
    }
  }

  /**
   * One step of a comparison.
   *
   * @param comparison with what stands to the left
   * @param value on the right
   */
  record Operand(Comparison comparison, Expression value) {}

  /** {@code a < b <= c}: every neighbouring pair must hold; stops at the first that does not. */
  record Compare(Expression first, List<Operand> operands) implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      Object left = first.evaluate(frame);
      for (Operand operand : operands) {
        Object right = operand.value().evaluate(frame);
        if (!operand.comparison().test(left, right, frame.rendering)) {
          return false;
        }
        left = right;
      }
      return true;
    }
  }

  /** {@code a + b} and its like. */
  record Binary(Operator operator, Expression left, Expression right) implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      return operator.apply(left.evaluate(frame), right.evaluate(frame), frame.rendering);
    }
  }

  /** {@code -a} and {@code +a}. */
  record Sign(boolean minus, Expression value) implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      Object operand = value.evaluate(frame);
      if (operand instanceof Undefined undefined) {
        throw undefined.failure();
      }
      if (!Numbers.numeric(operand)) {
        throw new TemplateException(
            "bad operand type for unary sign: '" + Values.typeName(operand) + "'");
      }
      Object negative = Numbers.negate(operand);
      return minus ? negative : Numbers.negate(negative);
    }
  }

  /** {@code a ~ b}: joins what the values print. */
  record Concat(List<Expression> parts) implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      StringBuilder out = new StringBuilder();
      for (Expression part : parts) {
        out.append(Printing.str(part.evaluate(frame)));
        frame.rendering.spend(out.length());
      }
      return out.toString();
    }
  }
}
