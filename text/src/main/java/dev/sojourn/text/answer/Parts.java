package dev.sojourn.text.answer;

import java.util.ArrayList;
import java.util.List;

/** Parts that were found, in order; a call's arguments become one part, empty ones are left out. */
final class Parts {

  private final List<Part> parts = new ArrayList<>();
  private final StringBuilder arguments = new StringBuilder(); // of the call that is under way
  private int call;

  void text(String more) {
    if (!more.isEmpty()) {
      add(new Part.Text(more));
    }
  }

  void reasoning(String more) {
    if (!more.isEmpty()) {
      add(new Part.Reasoning(more));
    }
  }

  void call(int index, String id, String name) {
    add(new Part.CallBegin(index, id, name));
  }

  void arguments(int index, CharSequence json) {
    call = index;
    arguments.append(json);
  }

  void callEnd(int index) {
    add(new Part.CallEnd(index));
  }

  void addAll(List<Part> others) {
    others.forEach(this::add);
  }

  private void add(Part part) {
    settle();
    parts.add(part);
  }

  private void settle() {
    if (!arguments.isEmpty()) {
      parts.add(new Part.CallArguments(call, arguments.toString()));
      arguments.setLength(0);
    }
  }

  /** Returns all of them; the last call. */
  List<Part> list() {
    settle();
    return parts;
  }
}
