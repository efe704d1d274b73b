package dev.sojourn.server;

import dev.sojourn.engine.model.ModelRunner;
import dev.sojourn.text.Vocabulary;
import java.time.Instant;
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

  /** Returns the most tokens that a context can have. */
  public int contextLength() {
    return runners.getFirst().contextLength();
  }
}
