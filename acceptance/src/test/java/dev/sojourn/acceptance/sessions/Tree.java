package dev.sojourn.acceptance.sessions;

import dev.sojourn.engine.TreePlace;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What one life of a regular session must hold, as plain lists: its turns, by the ids of their
 * requests, each with all its tokens. Knows nothing of branches and pages.
 */
final class Tree {

  /**
   * A turn.
   *
   * @param base the turn that it goes on from, if any
   * @param ids prompt and answer
   * @param promptEnd how many of them are the prompt
   * @param from how many of them are its base's
   */
  private record Turn(Optional<String> base, List<Integer> ids, int promptEnd, int from) {}

  /**
   * What becomes of a turn that is taken in.
   *
   * @param from how many ids of its prompt are its base's
   */
  record Plan(Optional<String> base, boolean replaces, int from, List<Integer> prompt) {}

  private final Map<String, Turn> turns = new LinkedHashMap<>();
  private final Map<String, Plan> running = new LinkedHashMap<>();
  private int ended;

  /** Returns why a turn is refused, in SGLang's words; empty if it is not. */
  Optional<String> refusal(TreePlace place) {
    if (place.base().filter(base -> !turns.containsKey(base)).isEmpty()) {
      return Optional.empty();
    }
    if (!running.containsKey(place.base().get())) {
      return Optional.of("Invalid request session id");
    }
    return place.replace()
        ? Optional.empty()
        : Optional.of("Session request is appending to a request that hasn't finished.");
  }

  /** Returns what becomes of a turn that is not refused. */
  Plan plan(TreePlace place, List<Integer> fresh) {
    List<Integer> before = place.base().map(base -> cut(turn(base), place)).orElse(List.of());
    return new Plan(
        place.base(), place.replace(), before.size(), Conversation.joined(before, fresh));
  }

  private static List<Integer> cut(Turn base, TreePlace place) {
    List<Integer> ids =
        place.dropPreviousOutput() ? base.ids().subList(0, base.promptEnd()) : base.ids();
    int offset = place.offset();
    if (offset == 0) {
      return ids;
    }
    return ids.subList(
        0, offset > 0 ? Math.min(offset, ids.size()) : Math.max(0, ids.size() + offset));
  }

  /** Returns a turn, or what there is of one that runs. */
  private Turn turn(String id) {
    @Nullable Turn turn = turns.get(id);
    @Nullable Plan plan = running.get(id);
    if (turn == null && plan != null) {
      return new Turn(plan.base(), plan.prompt(), plan.prompt().size(), plan.from());
    }
    if (turn == null) {
      throw new AssertionError("no turn " + id);
    }
    return turn;
  }

  /** Takes a turn in, and returns those that it ends. */
  List<String> accept(String id, Plan plan) {
    List<String> ends = new ArrayList<>();
    if (plan.replaces()) {
      Set<String> dropped = below(plan.base());
      running.forEach((other, its) -> {
        boolean goesOn = its.base().filter(b -> dropped.contains(b)).isPresent();
        if (plan.base().isEmpty()
            || goesOn
            || plan.base().get().equals(other)
            || plan.base().equals(its.base())) {
          ends.add(other);
        }
      });
      plan.base().ifPresent(base -> turns.put(base, turn(base)));
      turns.keySet().removeAll(dropped);
    }
    running.put(id, plan);
    return ends;
  }

  private Set<String> below(Optional<String> base) {
    if (base.isEmpty()) {
      return Set.copyOf(turns.keySet());
    }
    Set<String> found = new HashSet<>();
    int before;
    do {
      before = found.size();
      turns.forEach((id, turn) -> {
        if (turn.base().filter(b -> b.equals(base.get()) || found.contains(b)).isPresent()) {
          found.add(id);
        }
      });
    } while (found.size() > before);
    return found;
  }

  /** Ends a turn, with its answer if it is committed; a second end is a no-op. */
  void end(String id, Optional<List<Integer>> answer) {
    @Nullable Plan plan = running.remove(id);
    if (plan == null || answer.isEmpty()) {
      return;
    }
    List<Integer> ids = Conversation.joined(plan.prompt(), answer.get());
    turns.put(id, new Turn(plan.base(), ids, plan.prompt().size(), plan.from()));
    ended++;
  }

  /** Returns how many tokens its turns have together, those that they share counted once. */
  int tokens() {
    return turns.values().stream().mapToInt(turn -> turn.ids().size() - turn.from()).sum();
  }

  /** Returns how many turns were committed. */
  int turns() {
    return ended;
  }

  /** Returns how many turns run. */
  int running() {
    return running.size();
  }
}
