package dev.sojourn.acceptance.sessions;

import dev.sojourn.core.BlockHasher;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.Tokens;
import dev.sojourn.core.TurnMode;
import java.util.ArrayList;
import java.util.List;

/**
 * What one life of a session has committed, as plain lists: of the router's life, as a gateway's
 * transcript has it, or of an engine's.
 */
final class Conversation {

  Incarnation life;
  private List<Integer> ids = List.of();
  private final List<Integer> boundaries = new ArrayList<>();

  /** Whether it began with another's ids and has none of its own yet. */
  private boolean forked;

  Conversation(Incarnation life) {
    this.life = life;
  }

  /** Returns what begins with all this. */
  Conversation fork(Incarnation child) {
    Conversation fork = new Conversation(child);
    fork.ids = ids;
    fork.boundaries.addAll(boundaries);
    fork.forked = !ids.isEmpty();
    return fork;
  }

  List<Integer> ids() {
    return ids;
  }

  /** What an engine does with a turn: where a rewind goes, and what is the prompt. */
  record Plan(TurnMode mode, int boundary, List<Integer> prompt) {}

  /** Returns what an engine that holds this has to do with a turn. */
  Plan plan(List<Integer> input, boolean delta, int floor) {
    if (ids.isEmpty()) {
      return new Plan(floor > 0 ? TurnMode.ASIDE : TurnMode.OPENED, 0, input);
    }
    TurnMode append = forked ? TurnMode.FORK : TurnMode.APPEND;
    if (delta) {
      return new Plan(append, 0, joined(ids, input));
    }
    int common = common(ids, input);
    if (common == ids.size()) {
      return new Plan(append, 0, input);
    }
    int boundary =
        boundaries.stream()
            .filter(b -> b >= Math.max(1, floor) && b <= common)
            .reduce(-1, Math::max);
    return new Plan(boundary < 0 ? TurnMode.ASIDE : TurnMode.REWIND, boundary, input);
  }

  void rewind(int to) {
    ids = List.copyOf(ids.subList(0, to));
    boundaries.removeIf(boundary -> boundary > to);
  }

  void commit(List<Integer> prompt, List<Integer> completion) {
    int kept = common(ids, prompt);
    boundaries.removeIf(boundary -> boundary > kept);
    ids = joined(prompt, completion);
    boundaries.add(prompt.size());
    boundaries.add(ids.size());
    forked = false;
  }

  long digest() {
    Tokens tokens = tokens(ids);
    BlockHasher hasher = new BlockHasher(BlockHasher.DEFAULT_SEED);
    long[] chain = hasher.chain(tokens);
    return hasher.digest(
        chain.length == 0 ? 0 : chain[chain.length - 1],
        tokens.from(chain.length * BlockHasher.BLOCK));
  }

  static int common(List<Integer> a, List<Integer> b) {
    int i = 0;
    while (i < a.size() && i < b.size() && a.get(i).equals(b.get(i))) {
      i++;
    }
    return i;
  }

  static List<Integer> joined(List<Integer> a, List<Integer> b) {
    List<Integer> all = new ArrayList<>(a);
    all.addAll(b);
    return all;
  }

  static Tokens tokens(List<Integer> ids) {
    return Tokens.of(ids.stream().mapToInt(Integer::intValue).toArray());
  }

  static List<Integer> list(Tokens tokens) {
    return tokens.stream().boxed().toList();
  }
}
