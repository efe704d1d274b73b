package dev.sojourn.engine.schedule;

/** What a scheduler has done since its start; see {@link dev.sojourn.engine.EngineStats}. */
final class Tally {
  long steps;
  long promptTokens;
  long reusedTokens;
  long computedTokens;
  long sampledTokens;
  long retractions;
  long recomputedTokens;
  long modelNanos;
  long modelCpuNanos;
}
