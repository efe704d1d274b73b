package dev.sojourn.engine;

/**
 * What the engine holds and has done at one moment. In pages, {@code free + cached + leased + inUse
 * = capacity}: every page has exactly one state, where in use beats leased beats cached.
 *
 * @param capacity pages of the pool
 * @param free pages that hold nothing
 * @param cached pages that hold published KV that no session leases
 * @param leased pages that an idle session leases
 * @param inUse pages that a running turn uses
 * @param publishedPages pages of any state that hold published KV, which the KV events told of
 * @param sessions open sessions
 * @param running turns in the batch
 * @param waiting turns in the queue
 * @param steps steps run
 * @param promptTokens prompt tokens of started turns
 * @param reusedTokens of them, tokens whose KV was there
 * @param computedTokens tokens run through the model
 * @param sampledTokens tokens sampled
 * @param evictedPages pages evicted to make room
 * @param retractions turns whose scratch tail was dropped to make room
 * @param recomputedTokens tokens that turns that have ended computed again because of that
 * @param modelNanos time spent inside the model runner
 * @param modelCpuNanos CPU time of the engine thread inside the model runner: all of the model's
 *     CPU time where it computes on one thread
 * @param engineCpuNanos CPU time of the engine thread outside the model runner
 */
public record EngineStats(
    int capacity,
    int free,
    int cached,
    int leased,
    int inUse,
    int publishedPages,
    int sessions,
    int running,
    int waiting,
    long steps,
    long promptTokens,
    long reusedTokens,
    long computedTokens,
    long sampledTokens,
    long evictedPages,
    long retractions,
    long recomputedTokens,
    long modelNanos,
    long modelCpuNanos,
    long engineCpuNanos) {

  /** Returns the same with another number of published pages. */
  public EngineStats withPublishedPages(int pages) {
    return new EngineStats(
        capacity,
        free,
        cached,
        leased,
        inUse,
        pages,
        sessions,
        running,
        waiting,
        steps,
        promptTokens,
        reusedTokens,
        computedTokens,
        sampledTokens,
        evictedPages,
        retractions,
        recomputedTokens,
        modelNanos,
        modelCpuNanos,
        engineCpuNanos);
  }
}
