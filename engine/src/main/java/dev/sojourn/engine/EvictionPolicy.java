package dev.sojourn.engine;

/**
 * What decides between two pages that could be evicted, after effective priority and lease. The
 * keys are SGLang's.
 */
public enum EvictionPolicy {
  /** The least recently used goes first. */
  LRU,
  /** The lowest priority goes first, even where its retention has run out; then as {@link #LRU}. */
  PRIORITY
}
