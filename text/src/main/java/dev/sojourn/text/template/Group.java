package dev.sojourn.text.template;

import java.util.List;

/** One group of {@code groupby}: a tuple whose two parts have names too. Immutable. */
final class Group extends Tuple {

  Group(Object grouper, List<Object> list) {
    super(List.of(grouper, list));
  }
}
