package dev.sojourn.engine.schedule;

import static java.util.Objects.requireNonNull;

import dev.sojourn.engine.TreePlace;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What the turns of a regular session must be, as plain lists. */
final class TreeModel {

  /**
   * A turn.
   *
   * @param from how many ids it has from its base
   */
  record Turn(Optional<String> base, int from, List<Integer> prompt, List<Integer> whole) {}

  final Map<String, Turn> turns = new LinkedHashMap<>();
  final Map<String, Turn> growing = new LinkedHashMap<>(); // as if they had no answer

  /** Returns the prompt of a turn; empty if there is no such place. */
  Optional<Turn> plan(TreePlace place, List<Integer> input) {
    if (place.base().isEmpty()) {
      return Optional.of(new Turn(Optional.empty(), 0, input, input));
    }
    String id = place.base().get();
    Turn base = turns.get(id);
    if (base == null && place.replace()) {
      base = growing.get(id);
    }
    return Optional.ofNullable(base)
        .map(from -> {
          List<Integer> prompt =
              new ArrayList<>(place.dropPreviousOutput() ? from.prompt : from.whole);
          if (place.offset() > 0) {
            prompt = prompt.subList(0, Math.min(prompt.size(), place.offset()));
          } else if (place.offset() < 0) {
            prompt = prompt.subList(0, Math.max(0, prompt.size() + place.offset()));
          }
          List<Integer> all = new ArrayList<>(prompt);
          all.addAll(input);
          return new Turn(place.base(), prompt.size(), all, all);
        });
  }

  /** Takes a turn in, which may drop others. */
  void accept(String id, TreePlace place, Turn turn) {
    if (place.replace()) {
      place
          .base()
          .filter(growing::containsKey)
          .ifPresent(b -> turns.put(b, requireNonNull(growing.get(b))));
      List<String> dropped =
          turns.keySet().stream()
              .filter(t -> place.base().isEmpty() || isBelow(t, place.base().get()))
              .toList();
      dropped.forEach(turns::remove);
    }
    growing.put(id, turn);
  }

  private boolean isBelow(String turn, String base) {
    Optional<String> at = requireNonNull(turns.get(turn)).base();
    while (at.isPresent() && !at.get().equals(base)) {
      at = Optional.ofNullable(turns.get(at.get())).flatMap(Turn::base);
    }
    return at.isPresent();
  }

  /** Ends a turn, with the ids of its answer if it was committed. */
  void end(String id, Optional<List<Integer>> answer) {
    Turn turn = requireNonNull(growing.remove(id));
    answer.ifPresent(ids -> {
      List<Integer> whole = new ArrayList<>(turn.prompt);
      whole.addAll(ids);
      turns.put(id, new Turn(turn.base, turn.from, turn.prompt, whole));
    });
  }

  /** Returns how many tokens the turns have together. */
  int held() {
    return turns.values().stream().mapToInt(turn -> turn.whole.size() - turn.from).sum();
  }
}
