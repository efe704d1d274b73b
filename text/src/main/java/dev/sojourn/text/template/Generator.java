package dev.sojourn.text.template;

import java.util.Iterator;

/**
 * What {@code map}, {@code select}, {@code items}, {@code reverse} and their like return in jinja2:
 * an iterator. It can be walked once, has no length, and is truthy even if nothing is left in it.
 */
record Generator(Iterator<Object> iterator) implements Iterable<Object> {

  Generator(Iterable<Object> items) {
    this(items.iterator());
  }
}
