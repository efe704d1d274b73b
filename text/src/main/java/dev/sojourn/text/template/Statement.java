package dev.sojourn.text.template;

import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import org.jspecify.annotations.Nullable;

/** A part of a template that writes or assigns. Immutable once its names are bound. */
sealed interface Statement {

  /** What happens after a statement. */
  enum Flow {
    NEXT,
    BREAK,
    CONTINUE
  }

  /** Runs the statement. */
  Flow run(Frame frame);

  /** Returns the line it begins in. */
  int line();

  /**
   * A body with variables of its own.
   *
   * @param body to run
   * @param inherited variables that start with their value outside
   */
  record Scoped(Body body, List<Scope.Inherited> inherited) {

    Flow run(Frame frame) {
      begin(frame);
      return body.run(frame);
    }

    void begin(Frame frame) {
      for (Scope.Inherited variable : inherited) {
        frame.slots[variable.slot()] = variable.source().raw(frame);
      }
    }

    /** Runs the body and returns what it wrote instead of leaving it in the output. */
    Captured capture(Frame frame) {
      int mark = frame.rendering.out.length();
      Flow flow = run(frame);
      return new Captured(frame.rendering.take(mark), flow);
    }
  }

  /**
   * What a body wrote, and how it ended.
   *
   * @param text written
   * @param flow after the body
   */
  record Captured(String text, Flow flow) {}

  /** Text between tags. */
  record Text(String text, int line) implements Statement {
    @Override
    public Flow run(Frame frame) {
      frame.rendering.write(text);
      return Flow.NEXT;
    }
  }

  /** {@code {{ value }}}. */
  record Print(Expression value, int line) implements Statement {
    @Override
    public Flow run(Frame frame) {
      frame.rendering.write(Printing.str(value.evaluate(frame)));
      return Flow.NEXT;
    }
  }

  /**
   * One arm of an {@code if}.
   *
   * @param test of the arm; true of an else
   * @param body to run if the test holds
   * @param line of the arm's tag
   */
  record Branch(Expression test, Body body, int line) {}

  /** {@code if}, {@code elif}, {@code else}. */
  record If(List<Branch> branches, int line) implements Statement {
    @Override
    public Flow run(Frame frame) {
      for (Branch branch : branches) {
        boolean holds;
        try {
          holds = Values.truth(branch.test().evaluate(frame));
        } catch (TemplateException e) {
          throw e.at(branch.line());
        }
        if (holds) {
          return branch.body().run(frame);
        }
      }
      return Flow.NEXT;
    }
  }

  /**
   * The {@code if} of a loop, with its own copy of the loop's variables.
   *
   * @param target of the item
   * @param condition that the item must meet
   * @param inherited variables of the condition's scope
   */
  record LoopTest(Target target, Expression condition, List<Scope.Inherited> inherited) {

    /** Items are tested when they are asked for, since the body may change what the test sees. */
    Iterator<Object> filter(Iterator<Object> items, Frame frame) {
      return new Iterator<>() {
        private @Nullable Object next;

        @Override
        public boolean hasNext() {
          while (next == null && items.hasNext()) {
            frame.rendering.step();
            Object item = items.next();
            target.assign(frame, item);
            if (Values.truth(condition.evaluate(frame))) {
              next = item;
            }
          }
          return next != null;
        }

        @Override
        public Object next() {
          if (!hasNext() || next == null) {
            throw new NoSuchElementException();
          }
          Object item = next;
          next = null;
          return item;
        }
      };
    }
  }

  /**
   * {@code for … in … if … recursive … else}.
   *
   * @param target of each item
   * @param items to walk
   * @param test that items must pass
   * @param turn what runs for each
   * @param otherwise what runs if there was none
   * @param loopSlot of the variable {@code loop}; -1 if nobody asks for it
   * @param frameSize of a recursive loop; -1 if the loop is not recursive
   * @param line of the tag
   */
  record For(
      Target target,
      Expression items,
      @Nullable LoopTest test,
      Scoped turn,
      @Nullable Scoped otherwise,
      int loopSlot,
      int frameSize,
      int line)
      implements Statement {

    @Override
    public Flow run(Frame frame) {
      return run(items.evaluate(frame), frame, 0);
    }

    /**
     * Walks items; returns how the {@code else} ended, if it ran.
     *
     * @param frame of the statement
     * @param depth of the recursion, from 0
     */
    Flow run(Object walked, Frame frame, int depth) {
      Frame inside = frameSize < 0 ? frame : new Frame(frameSize, frame, frame.rendering);
      Iterator<Object> remaining = Values.iterator(walked);
      if (test != null) {
        remaining = test.filter(remaining, frame);
      }
      Loop loop = null;
      if (loopSlot >= 0) {
        int length = test == null ? Values.lengthOrNone(walked) : -1;
        loop = new Loop(remaining, length, depth, frameSize < 0 ? null : this, frame);
        remaining = loop;
      }
      boolean any = false;
      Flow flow = Flow.NEXT;
      while (flow != Flow.BREAK && remaining.hasNext()) {
        frame.rendering.step();
        Object item = remaining.next();
        turn.begin(inside);
        if (loop != null) {
          inside.slots[loopSlot] = loop;
        }
        target.assign(inside, item);
        flow = turn.body().run(inside);
        any |= flow == Flow.NEXT;
      }
      return any || otherwise == null ? Flow.NEXT : otherwise.run(frame);
    }
  }

  /** {@code set a = value}. */
  record Set(Target target, Expression value, int line) implements Statement {
    @Override
    public Flow run(Frame frame) {
      target.assign(frame, value.evaluate(frame));
      return Flow.NEXT;
    }
  }

  /** {@code set a | filter} with a body. */
  record SetBlock(Target target, List<Expression.Filter> filters, Scoped body, int line)
      implements Statement {
    @Override
    public Flow run(Frame frame) {
      Captured captured = body.capture(frame);
      if (captured.flow() == Flow.NEXT) {
        target.assign(frame, filtered(captured.text(), filters, frame));
      }
      return captured.flow();
    }
  }

  /** {@code filter name} with a body. */
  record FilterBlock(List<Expression.Filter> filters, Scoped body, int line) implements Statement {
    @Override
    public Flow run(Frame frame) {
      Captured captured = body.capture(frame);
      if (captured.flow() == Flow.NEXT) {
        frame.rendering.write(Printing.str(filtered(captured.text(), filters, frame)));
      }
      return captured.flow();
    }
  }

  private static Object filtered(String text, List<Expression.Filter> filters, Frame frame) {
    Object value = text;
    for (Expression.Filter filter : filters) {
      value = filter.apply(value, frame);
    }
    return value;
  }

  /** {@code with a = value}. */
  record With(List<Target> targets, List<Expression> values, Scoped body, int line)
      implements Statement {
    @Override
    public Flow run(Frame frame) {
      body.begin(frame);
      for (int i = 0; i < targets.size(); i++) {
        targets.get(i).assign(frame, values.get(i).evaluate(frame));
      }
      return body.body().run(frame);
    }
  }

  /** A block that is nothing but a scope, such as {@code generation}. */
  record Block(Scoped body, int line) implements Statement {
    @Override
    public Flow run(Frame frame) {
      return body.run(frame);
    }
  }

  /** {@code break} and {@code continue}. */
  record Jump(Flow flow, int line) implements Statement {
    @Override
    public Flow run(Frame frame) {
      return flow;
    }
  }

  /** {@code macro}. */
  record MacroStatement(Variable variable, MacroDefinition definition, int line)
      implements Statement {
    @Override
    public Flow run(Frame frame) {
      variable.set(frame, new Macro(definition, frame));
      return Flow.NEXT;
    }
  }

  /** {@code call}. */
  record CallBlock(Expression.Call call, MacroDefinition body, int line) implements Statement {
    @Override
    public Flow run(Frame frame) {
      Object value = call.withCaller(frame, new Macro(body, frame));
      frame.rendering.write(Printing.str(value));
      return Flow.NEXT;
    }
  }
}
