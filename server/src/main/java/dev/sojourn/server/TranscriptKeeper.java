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
 * Ends transcripts with their sessions, and takes them along when a session moves: its new life
 * goes on with what the old one said.
 */
final class TranscriptKeeper implements Consumer<Change> {

  private final Transcripts transcripts;

  TranscriptKeeper(Transcripts transcripts) {
    this.transcripts = transcripts;
  }

  @Override
  public void accept(Change change) {
    Optional<Incarnation> before = life(change.before());
    Optional<Incarnation> after = life(change.after());
    if (before.isEmpty() || before.equals(after)) {
      return;
    }
    if (change.before() instanceof Bound && change.after() instanceof Bound) {
      transcripts.move(change.id(), before.get(), after.orElseThrow());
    } else {
      transcripts.remove(change.id(), before.get());
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
