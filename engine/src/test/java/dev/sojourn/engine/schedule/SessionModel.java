package dev.sojourn.engine.schedule;

import dev.sojourn.core.SessionSettings;
import java.util.ArrayList;
import java.util.List;

/** What a life of a session must be, as plain lists. */
final class SessionModel {

  final SessionSettings settings;
  List<Integer> committed = List.of();
  final List<Integer> boundaries = new ArrayList<>();
  int turns;
  boolean busy;
  boolean closing;
  long idleSince;

  SessionModel(SessionSettings settings, long now) {
    this.settings = settings;
    idleSince = now;
  }

  /** Starts with what another has committed. */
  void startAs(SessionModel parent) {
    committed = parent.committed;
    boundaries.addAll(parent.boundaries);
  }

  /** Returns the last boundary in [from, to], or -1. */
  int boundary(int from, int to) {
    return boundaries.stream().filter(b -> b >= from && b <= to).reduce(-1, Math::max);
  }

  void rewind(int to) {
    committed = List.copyOf(committed.subList(0, to));
    boundaries.removeIf(boundary -> boundary > to);
  }

  void commit(List<Integer> prompt, List<Integer> completion) {
    List<Integer> all = new ArrayList<>(prompt);
    all.addAll(completion);
    committed = all;
    boundaries.add(prompt.size());
    boundaries.add(all.size());
    turns++;
  }
}
