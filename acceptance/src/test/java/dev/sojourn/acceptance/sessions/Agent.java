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

  /** Nobody holds anything of it any more. */
  void forget() {
    said = List.of();
    open = false;
    opener = null;
    bound = false;
    lost = false;
    rewound = false;
    cut = false;
    length = 0;
    known.clear();
    following.clear();
    last = null;
  }

  /** Returns whether a gateway does not know all that the client was shown. */
  boolean isCut(int gateway) {
    return cut && !known.contains(gateway);
  }

  /** A gateway took its last turn. */
  void taken(int gateway, String mode) {
    known.clear();
    known.add(gateway);
    switch (mode) {
      case "append" -> {}
      case "rewind" -> following.clear();
      default -> following.addAll(Set.of(0, 1)); // nobody else knows this life
    }
    following.add(gateway);
  }

  /** Returns what it has said with more behind it. */
  List<Map<String, ?>> saidAnd(Map<String, ?> more) {
    List<Map<String, ?>> all = new ArrayList<>(said);
    all.add(more);
    return List.copyOf(all);
  }
}
