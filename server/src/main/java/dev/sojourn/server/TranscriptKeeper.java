package dev.sojourn.server;

import dev.sojourn.core.Incarnation;
import dev.sojourn.router.affinity.AffinityStore.Change;
import dev.sojourn.router.affinity.Binding;
import dev.sojourn.router.affinity.Binding.Bound;
import dev.sojourn.router.affinity.Binding.Opening;
import dev.sojourn.router.affinity.Binding.Vacant;
import dev.sojourn.server.prompt.Transcripts;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Ends transcripts with the lives of their sessions. One that goes on in another life has been
 * taken there before by the turn that moved it; so it does not matter how late this hears of it.
 */
final class TranscriptKeeper implements Consumer<Change> {

  private final Transcripts transcripts;

  TranscriptKeeper(Transcripts transcripts) {
    this.transcripts = transcripts;
  }

  @Override
  public void accept(Change change) {
    Optional<Incarnation> before = life(change.before());
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
