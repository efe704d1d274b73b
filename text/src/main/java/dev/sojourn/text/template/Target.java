package dev.sojourn.text.template;

import java.util.Iterator;
import java.util.List;

/** What is assigned to. */
sealed interface Target {

  /** Assigns a value. */
  void assign(Frame frame, Object value);

  /** A variable. */
  record Local(Variable variable) implements Target {
    @Override
    public void assign(Frame frame, Object value) {
      variable.set(frame, value);
    }
  }

  /** An attribute of a namespace. */
  record Attribute(Variable namespace, String name) implements Target {
    @Override
    public void assign(Frame frame, Object value) {
      if (!(namespace.get(frame) instanceof NamespaceObject object)) {
        throw new TemplateException(
            "cannot set an attribute of '" + namespace.name + "': it is no namespace");
      }
      object.attributes.put(name, value);
    }
  }

  /** {@code a, b}: the value must have as many elements. */
  record Unpack(List<Target> targets) implements Target {
    @Override
    public void assign(Frame frame, Object value) {
      Iterator<Object> elements = Values.iterator(value);
      for (Target target : targets) {
        if (!elements.hasNext()) {
          throw new TemplateException("not enough values to unpack, expected " + targets.size());
        }
        target.assign(frame, elements.next());
      }
      if (elements.hasNext()) {
        throw new TemplateException("too many values to unpack, expected " + targets.size());
      }
    }
  }
}
