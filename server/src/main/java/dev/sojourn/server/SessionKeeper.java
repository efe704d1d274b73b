package dev.sojourn.server;

import dev.sojourn.core.Incarnation;
import dev.sojourn.router.affinity.AffinityStore.Change;
import dev.sojourn.router.affinity.Binding;
import dev.sojourn.router.affinity.Binding.Bound;
import dev.sojourn.router.affinity.Binding.Opening;
import dev.sojourn.router.affinity.Binding.Vacant;
import dev.sojourn.server.prompt.Transcripts;
import dev.sojourn.server.sessions.Ledger;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Ends what a gateway keeps of a session with the session: transcripts with its lives, its account
 * with its name. A transcript that goes on in another life has been taken there before by the turn
 * that moved it; so it does not matter how late this hears of it.
 */
final class SessionKeeper implements Consumer<Change> {

  private final Transcripts transcripts;
  private final Ledger ledger;

  SessionKeeper(Transcripts transcripts, Ledger ledger) {
    this.transcripts = transcripts;
    this.ledger = ledger;
  }

  @Override
  public void accept(Change change) {
    Optional<Incarnation> before = life(change.before());
    if (change.after() instanceof Vacant) {
      before.ifPresent(ended -> ledger.end(change.id(), ended));
    } else if (change.before() instanceof Bound from && change.after() instanceof Bound to) {
      ledger.move(change.id(), from, to);
    }
    if (!before.equals(life(change.after()))) {
      before.ifPresent(ended -> transcripts.remove(change.id(), ended));
    }
  }

  private static Optional<Incarnation> life(Binding binding) {
    return switch (binding) {
      case Vacant _ -> Optional.empty();
      case Opening opening -> Optional.of(opening.incarnation());
      case Bound bound -> Optional.of(bound.incarnation());
    };
  }
}
