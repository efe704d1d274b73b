package dev.sojourn.server.openai;

import java.time.Instant;

/**
 * What clients and their requests need to know of a model.
 *
 * @param id the name that clients ask for; may hold slashes
 * @param created when the model was made or installed
 * @param contextLength the most tokens that prompt and answer may have together
 * @param room the most that they may have where it is served: the context's length, or what a
 *     rank's KV pool holds, if that is less
 * @param vocabularySize token ids are below it
 */
public record ModelCard(
    String id, Instant created, int contextLength, int room, int vocabularySize) {}
