package dev.sojourn.router;

import dev.sojourn.core.Clock;
import dev.sojourn.core.Counted;
import dev.sojourn.core.Fault;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionKind;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.affinity.AffinityStore;
import dev.sojourn.router.affinity.AffinityStore.Initialised.Full;
import dev.sojourn.router.affinity.AffinityStore.Initialised.Present;
import dev.sojourn.router.affinity.AffinityStore.Initialised.Won;
import dev.sojourn.router.affinity.Binding;
import dev.sojourn.router.affinity.Binding.Bound;
import dev.sojourn.router.affinity.Binding.Opening;
import dev.sojourn.router.affinity.Lease;
import dev.sojourn.router.affinity.OwnerEpoch;
import dev.sojourn.router.affinity.Terms;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * Decides how a turn stands to its session when its time has come: it opens it, holds a lease on
 * it, or runs without. Thread-safe; turns of one session of this gateway come one after the other,
 * but for those of a tree.
 */
final class Admission {

  private final AffinityStore store;
  private final Clock clock;
  private final OwnerEpoch owner;
  private final Supplier<Incarnation> incarnations;
  private final Predicate<WorkerRank> live;
  private final Settling settling;
  private final Expiry expiry;
  private final Counters counters;
  private final AtomicLong leaseNumbers = new AtomicLong();

  Admission(
      AffinityStore store,
      Clock clock,
      OwnerEpoch owner,
      Supplier<Incarnation> incarnations,
      Predicate<WorkerRank> live,
      Settling settling,
      Expiry expiry,
      Counters counters) {
    this.store = store;
    this.clock = clock;
    this.owner = owner;
    this.incarnations = incarnations;
    this.live = live;
    this.settling = settling;
    this.expiry = expiry;
    this.counters = counters;
  }

  /** Looks at a session and changes nothing. */
  Standing look(SessionId id) {
    return bound(id)
        .<Standing>map(Standing.Looks::new)
        .orElseGet(() -> new Standing.Without(NoSession.UNKNOWN));
  }

  /** Refuses an open that the one in flight contradicts; it need not wait to learn that. */
  void refuseContradiction(SessionControl control) {
    if (opensExplicitly(control) && store.peek(control.session()) instanceof Opening opening) {
      refuseOtherTerms(control, opening.terms());
    }
  }

  /** Returns whether a session's turns may run side by side: its engine keeps them apart. */
  static boolean isTree(Binding binding) {
    return binding instanceof Bound bound && bound.terms().shape() == SessionKind.REGULAR;
  }

  /**
   * Takes the lease, waiting only for other gateways.
   *
   * @param inTree whether it may be taken on a tree of turns only; empty if there is none
   */
  Optional<Standing> admit(SessionControl control, TurnIntent intent, boolean inTree)
      throws InterruptedException {
    SessionId id = control.session();
    Lease lease = new Lease(owner, leaseNumbers.incrementAndGet(), intent.requestId());
    // Each round that decides nothing has seen another gateway or the expiry change the binding.
    while (true) {
      Binding now = settling.settled(id);
      if (inTree && !isTree(now)) {
        return Optional.empty();
      }
      Optional<Standing> standing =
          now instanceof Bound bound ? hold(control, intent, bound, lease) : begin(control, lease);
      if (standing.isPresent()) {
        return standing;
      }
    }
  }

  /** Takes a lease on a live binding; empty if it has ended or changed. */
  private Optional<Standing> hold(
      SessionControl control, TurnIntent intent, Bound bound, Lease lease) {
    if (expiry.endIfDue(control.session(), bound)) {
      return Optional.empty();
    }
    if (opensExplicitly(control)) {
      refuseOtherTerms(control, bound.terms());
    }
    boolean pinnedElsewhere =
        intent.pin().filter(pin -> !pin.equals(bound.target())).isPresent()
            && bound.terms().kind() == Terms.Kind.ENGINE_BACKED
            && live.test(bound.target());
    if (pinnedElsewhere && control.input() == Input.DELTA) {
      throw Fault.invalid(
              "nvext.backend_instance_id",
              "a delta turn runs where its session lives, on "
                  + bound.target()
                  + ", not on "
                  + intent.pin().get())
          .asException();
    }
    Optional<Bound> held = store.acquire(control.session(), bound.revision(), lease);
    held.ifPresent(_ -> counters.leasesTaken.incrementAndGet());
    NoSession why = pinnedElsewhere ? NoSession.PINNED : NoSession.NONE;
    return held.map(leased -> new Standing.Holds(leased, lease, why));
  }

  /** Opens a vacant name, or lets the turn run without; empty if somebody else opened it first. */
  private Optional<Standing> begin(SessionControl control, Lease lease) {
    SessionId id = control.session();
    NoSession why = expiry.whyAbsent(id);
    if (control.input() == Input.DELTA && !opensExplicitly(control)) {
      String how = why == NoSession.EXPIRED ? " has expired" : " does not exist";
      throw new Fault.NotFound(
              "session_not_found",
              "session " + id.name() + how + "; open it, or send the whole conversation")
          .asException();
    }
    boolean opensImplicitly = control.action() == Action.CONTINUE && control.implicit();
    if (!opensExplicitly(control) && !opensImplicitly) {
      return Optional.of(new Standing.Without(why));
    }
    Terms terms = terms(control);
    Optional<Bound> parent = terms.parent().flatMap(this::bound);
    if (terms.forks() && parent.isEmpty()) {
      // Waiting until it is open could be for ever: two names may each be the other's parent.
      throw new Fault.NotFound(
              "parent_not_found",
              "there is no open session "
                  + terms.parent().orElseThrow().name()
                  + " to start "
                  + id.name()
                  + " from")
          .asException();
    }
    if (terms.forks() && parent.orElseThrow().terms().shape() == SessionKind.REGULAR) {
      throw Fault.invalid(
              "nvext.session_control.parent",
              "session "
                  + terms.parent().orElseThrow().name()
                  + " is a tree of turns, which has no one context to start from")
          .asException();
    }
    return switch (store.initialise(id, incarnations.get(), terms, lease)) {
      case Won(Opening opening) -> {
        expiry.opened(id);
        counters.leasesTaken.incrementAndGet();
        yield Optional.of(new Standing.Opens(opening, lease, why, parent));
      }
      case Present _ -> Optional.empty();
      case Full(int entries) -> {
        if (opensImplicitly) {
          yield Optional.of(new Standing.Without(NoSession.FULL));
        }
        throw new Fault.Overloaded(
                "no more than " + new Counted(entries, "session") + " may be open; close some",
                Duration.ofSeconds(1))
            .asException();
      }
    };
  }

  private Optional<Bound> bound(SessionId id) {
    return store.peek(id) instanceof Bound bound && !bound.expiredAt(clock.nanos())
        ? Optional.of(bound)
        : Optional.empty();
  }

  private static boolean opensExplicitly(SessionControl control) {
    return control.action() == Action.OPEN || control.action() == Action.BIND;
  }

  /** Returns what a session is opened with that is opened by this. */
  static Terms terms(SessionControl control) {
    boolean binds = control.action() == Action.BIND;
    return new Terms(
        binds ? Terms.Kind.ROUTER_ONLY : Terms.Kind.ENGINE_BACKED,
        control.timeout(),
        control.capacity(),
        control.onClose(),
        control
            .parent()
            .or(control::near)
            .map(name -> new SessionId(control.session().tenant(), name)),
        !binds && control.parent().isPresent(),
        control.kind());
  }

  private static void refuseOtherTerms(SessionControl control, Terms present) {
    Terms asked = terms(control);
    if (!present.agreesWith(asked)) {
      Map<String, Object> open = settings(present);
      throw new Fault.Conflict(
              "session_settings",
              "session %s is open with other settings: %s; close it first, or open it with the same"
                  .formatted(control.session().name(), differences(open, settings(asked))),
              open)
          .asException();
    }
  }

  private static String differences(Map<String, Object> open, Map<String, Object> asked) {
    Set<String> names = new LinkedHashSet<>(open.keySet());
    names.addAll(asked.keySet());
    return names.stream()
        .filter(name -> !Objects.equals(open.get(name), asked.get(name)))
        .map(name ->
            "%s %s (this request says %s)".formatted(name, shown(name, open), shown(name, asked)))
        .collect(Collectors.joining(", "));
  }

  private static String shown(String name, Map<String, Object> settings) {
    return settings.getOrDefault(name, "none") + (name.equals("timeout") ? " s" : "");
  }

  /** Returns terms as a client asks for them; those that agree have the same. */
  private static Map<String, Object> settings(Terms terms) {
    Map<String, Object> settings = new LinkedHashMap<>();
    settings.put("action", terms.kind() == Terms.Kind.ROUTER_ONLY ? "bind" : "open");
    settings.put("turns", terms.shape().name().toLowerCase(Locale.ROOT));
    settings.put("timeout", seconds(terms.timeout()));
    settings.put("on_close", terms.onClose().name().toLowerCase(Locale.ROOT));
    terms.capacity().ifPresent(most -> settings.put("capacity", most));
    terms.parent().filter(_ -> terms.forks()).ifPresent(p -> settings.put("parent", p.name()));
    return settings;
  }

  private static Number seconds(Duration time) {
    return time.toMillisPart() == 0 ? (Number) time.toSeconds() : (Number) (time.toMillis() / 1e3);
  }
}
