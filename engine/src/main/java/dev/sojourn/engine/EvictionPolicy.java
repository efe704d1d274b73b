package dev.sojourn.engine;

/**
 * What decides between two pages that could be evicted, after effective priority and lease. The
 * keys are SGLang's.
 */
public enum EvictionPolicy {
  /** The least recently used goes first. */
  LRU,
  /** The least often used goes first; then as {@link #LRU}. */
  LFU,
  /** The oldest goes first, whatever its use. */
  FIFO,
  /** The most recently used goes first. */
  MRU,
  /** The youngest goes first, whatever its use. */
  FILO,
  /** What was used less than twice goes first; then as {@link #LRU}. */
  SLRU,
  /** The lowest priority goes first, even where its retention has run out; then as {@link #LRU}. */
  PRIORITY
}
