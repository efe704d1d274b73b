package dev.sojourn.acceptance.sessions;

import dev.sojourn.core.SessionControl.Action;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What the client of a session believes, and what of it gateways and engines must still have. */
final class Agent {

  final String name;

  /** What the session has said. */
  List<Map<String, ?>> said = List.of();

  /** Whether there is a session that nobody has closed. */
  boolean open;

  /**
   * The action that may be told of it again; none of a fork, whose parent would have to be told.
   */
  @Nullable Action opener;

  /** Whether it is one by affinity alone. */
  boolean bound;

  /** Whether its engine may have lost it. */
  boolean lost;

  /** Whether a turn that was given up has rewound its engine behind the gateways' backs. */
  boolean rewound;

  /**
   * Whether a stop string cut the last answer in the middle of a token: what the client was shown
   * of it, only a transcript knows.
   */
  boolean cut;

  /** Whether its last turn said only what was new. */
  boolean speaksDeltas;

  /** What may be called. */
  List<Map<String, ?>> tools = List.of();

  /** The ids that it holds. */
  List<Integer> context = List.of();

  /** Whether it may hold answers as they were sampled, not as the template writes them. */
  boolean sampled;

  /** Whether its last turn wanted that, and got it. */
  boolean asSampled;

  /** The gateways that took all its turns, or a whole conversation and all behind it. */
  final Set<Integer> whole = new HashSet<>();

  /** When it expires, by the clock. */
  long deadline;

  /** What the last answer said that it holds. */
  int tip;

  String digest = "";
  int length;

  /** The gateways that took its last turn and have not forgotten it. */
  final Set<Integer> known = new HashSet<>();

  /** The gateways that know nothing but what it still holds the beginning of. */
  final Set<Integer> following = new HashSet<>();

  /** The last delta and what came of it, while nothing else has been said. */
  @Nullable Delta last;

  /** A delta that was answered. */
  record Delta(int gateway, Map<String, ?> body, Reply reply) {}

  Agent(String name) {
    this.name = name;
  }

  /** It is started from another. */
  void takeOver(Agent parent) {
    tools = parent.tools;
    context = parent.context;
    sampled = parent.sampled;
    asSampled = parent.asSampled;
  }

  /** Nobody holds anything of it any more. */
  void forget() {
    said = List.of();
    tools = List.of();
    context = List.of();
    sampled = false;
    asSampled = false;
    whole.clear();
    open = false;
    opener = null;
    bound = false;
    lost = false;
    rewound = false;
    cut = false;
    speaksDeltas = false;
    length = 0;
    known.clear();
    following.clear();
    last = null;
  }

  /** Returns whether a gateway does not know all that the client was shown. */
  boolean isCut(int gateway) {
    return cut && !known.contains(gateway);
  }

  /**
   * Returns whether answers stand as they were sampled at a gateway that does not know all that was
   * said: what the template would write of it, nobody can see there.
   */
  boolean isUnseen(int gateway) {
    return asSampled && !whole.contains(gateway);
  }

  /** A gateway took its last turn. */
  void taken(int gateway, String mode, boolean delta) {
    if (!delta) {
      whole.add(gateway);
    } else if (!known.contains(gateway)) {
      whole.remove(gateway);
    }
    known.clear();
    known.add(gateway);
    switch (mode) {
      case "append" -> {}
      case "rewind" -> following.clear();
      default -> following.addAll(Set.of(0, 1)); // nobody else knows this life
    }
    following.add(gateway);
  }

  /**
   * A gateway may have begun another life of it, and taken along what it knows: nobody else did.
   */
  void movedBy(int gateway) {
    Set<Integer> only = Set.of(gateway);
    known.retainAll(only);
    following.retainAll(only);
    whole.retainAll(only);
  }

  /** Returns what it has said with more behind it. */
  List<Map<String, ?>> saidAnd(Map<String, ?> more) {
    List<Map<String, ?>> all = new ArrayList<>(said);
    all.add(more);
    return List.copyOf(all);
  }
}
