package dev.sojourn.server;

import dev.sojourn.core.BlockHasher;
import dev.sojourn.engine.model.LoadedModel;
import dev.sojourn.engine.model.ModelRunner;
import dev.sojourn.engine.weights.ModelFile;
import dev.sojourn.server.openai.ModelCard;
import dev.sojourn.text.Vocabulary;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/**
 * A model that is loaded and can be served.
 *
 * @param id the name that clients ask for; may hold slashes
 * @param created when the model was made or installed, for listings
 * @param vocabulary its tokens
 * @param chatTemplate its Jinja chat template; empty text where the model has none, and then serves
 *     completions only
 * @param runners one for each rank; all over the same weights
 */
public record ServedModel(
    String id,
    Instant created,
    Vocabulary vocabulary,
    String chatTemplate,
    List<ModelRunner> runners) {

  public ServedModel {
    runners = List.copyOf(runners);
    if (id.isBlank()) {
      throw new IllegalArgumentException("a model id is not blank");
    }
    if (runners.isEmpty()) {
      throw new IllegalArgumentException("a model needs at least one rank");
    }
  }

  /**
   * Prepares a loaded model for serving. The runners are the caller's until a gateway has them; the
   * loaded model stays the caller's, to be closed after the gateway.
   *
   * @param file where its vocabulary and chat template are read from
   * @param ranks how many ranks serve it
   * @param pages KV pages of each rank
   */
  public static ServedModel of(
      String id, Instant created, ModelFile file, LoadedModel loaded, int ranks, int pages) {
    List<ModelRunner> runners = new ArrayList<>();
    try {
      for (int rank = 0; rank < ranks; rank++) {
        runners.add(loaded.newRunner(pages));
      }
      return new ServedModel(
          id, created, file.vocabulary(), file.chatTemplate().orElse(""), runners);
    } catch (RuntimeException | Error e) {
      runners.forEach(ModelRunner::close);
      throw e;
    }
  }

  /** Returns what its clients need to know. */
  ModelCard card() {
    int pages = runners.stream().mapToInt(ModelRunner::pages).min().orElseThrow();
    int room = Math.min(contextLength(), pages * BlockHasher.BLOCK);
    return new ModelCard(id, created, contextLength(), room, vocabulary.tokens().size());
  }

  /** Returns the most tokens that a context can have. */
  public int contextLength() {
    return runners.getFirst().contextLength();
  }
}
