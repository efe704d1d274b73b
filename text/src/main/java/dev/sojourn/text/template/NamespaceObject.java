package dev.sojourn.text.template;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What {@code namespace(…)} makes: the one value whose attributes a template may set, so that a
 * loop can tell something to what follows it. Belongs to one rendering.
 */
final class NamespaceObject {

  final Map<Object, Object> attributes;

  NamespaceObject(Map<Object, Object> attributes) {
    this.attributes = new LinkedHashMap<>(attributes);
  }
}
