package dev.sojourn.engine.schedule;

import dev.sojourn.core.SessionKind;
import dev.sojourn.core.SessionSettings;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What a life of a session must be, as plain lists. */
final class SessionModel {

  final SessionSettings settings;
  List<Integer> committed = List.of();
  final List<Integer> boundaries = new ArrayList<>();
  int turns;
  boolean busy;
  boolean closing;
  long deadline;
  @Nullable SessionModel parent;
  final @Nullable TreeModel tree; // of a regular session
  private @Nullable Duration allowance;

  SessionModel(SessionSettings settings, long now) {
    this.settings = settings;
    deadline = now + settings.timeout().toNanos();
    tree = settings.kind() == SessionKind.REGULAR ? new TreeModel() : null;
  }

  int held() {
    return tree == null ? committed.size() : tree.held();
  }

  void extend(Duration idle, long now) {
    if (busy) {
      allowance = idle;
    } else {
      deadline = now + idle.toNanos();
    }
  }

  void giveBack(long now) {
    deadline = now + (allowance == null ? settings.timeout() : allowance).toNanos();
    allowance = null;
  }

  /** Starts beside another, or with what that has committed. */
  void startFrom(SessionModel other, boolean shares) {
    parent = other;
    if (shares) {
      committed = other.committed;
      boundaries.addAll(other.boundaries);
    }
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
