package dev.sojourn.engine;

import static dev.sojourn.core.BlockHasher.BLOCK;

import dev.sojourn.engine.model.ModelRunner;
import dev.sojourn.engine.model.StepBatch;
import java.util.Arrays;
import java.util.function.IntPredicate;

/**
 * A model without arithmetic that finds faults of ownership. The KV of a token is the token and its
 * position; its logits are a hash of all slots before it, read through the page table. A slot that
 * was never written, was freed, or is another position's fails the step at once; one with another
 * token changes the answer.
 */
public final class TokenEchoRunner implements ModelRunner {

  private static final int POISON = -1;

  private final int vocabularySize;
  private final int contextLength;
  private final int[] tokens;
  private final int[] positions;
  private IntPredicate readOnly = page -> false;
  private boolean failing;
  private boolean closed;
  private int runs;

  /** Creates a runner whose pages hold nothing. */
  public TokenEchoRunner(int vocabularySize, int contextLength, int pages) {
    this.vocabularySize = vocabularySize;
    this.contextLength = contextLength;
    tokens = new int[pages * BLOCK];
    positions = new int[pages * BLOCK];
    Arrays.fill(tokens, POISON);
  }

  /** Sets which pages nobody may write to. */
  public void setReadOnly(IntPredicate readOnly) {
    this.readOnly = readOnly;
  }

  /** Makes the next step fail half way. */
  public void failNext() {
    failing = true;
  }

  /** Makes what a page holds unreadable. */
  public void poison(int page) {
    Arrays.fill(tokens, page * BLOCK, (page + 1) * BLOCK, POISON);
  }

  /** Returns how many steps it ran. */
  public int runs() {
    return runs;
  }

  /** Returns whether it was closed. */
  public boolean isClosed() {
    return closed;
  }

  @Override
  public int vocabularySize() {
    return vocabularySize;
  }

  @Override
  public int contextLength() {
    return contextLength;
  }

  @Override
  public int pages() {
    return tokens.length / BLOCK;
  }

  @Override
  public void run(StepBatch batch) {
    runs++;
    for (int slice = 0; slice < batch.slices(); slice++) {
      for (int i = 0; i < batch.length(slice); i++) {
        int position = batch.position(slice) + i;
        write(batch.page(slice, position), position, batch.id(slice, i));
      }
      if (failing) {
        failing = false;
        throw new UnsupportedOperationException("told to fail");
      }
      int end = batch.position(slice) + batch.length(slice);
      long state = read(batch, slice, end);
      if (batch.wantsLogits(slice)) {
        float[] logits = batch.logits(slice);
        for (int id = 0; id < vocabularySize; id++) {
          logits[id] = (mix(state + id) >>> 40) * 0x1p-21f; // 0 to 8
        }
      }
    }
  }

  @Override
  public void copySlots(int from, int to, int slots) {
    requireWritable(to);
    poison(to);
    for (int slot = 0; slot < slots; slot++) {
      if (tokens[from * BLOCK + slot] == POISON) {
        throw new AssertionError("slot " + slot + " of page " + from + " is copied, but empty");
      }
    }
    System.arraycopy(tokens, from * BLOCK, tokens, to * BLOCK, slots);
    System.arraycopy(positions, from * BLOCK, positions, to * BLOCK, slots);
  }

  @Override
  public void close() {
    closed = true;
  }

  private void write(int page, int position, int token) {
    requireWritable(page);
    int slot = page * BLOCK + position % BLOCK;
    tokens[slot] = token;
    positions[slot] = position;
    // What stood behind it was of another continuation.
    Arrays.fill(tokens, slot + 1, (page + 1) * BLOCK, POISON);
  }

  private void requireWritable(int page) {
    if (readOnly.test(page)) {
      throw new AssertionError("page " + page + " is published and written to");
    }
  }

  private long read(StepBatch batch, int slice, int end) {
    long state = 0x5eed;
    for (int position = 0; position < end; position++) {
      int slot = batch.page(slice, position) * BLOCK + position % BLOCK;
      if (tokens[slot] == POISON || positions[slot] != position) {
        throw new AssertionError(
            "position " + position + " of slice " + slice + " is read from a stale slot");
      }
      state = mix(state ^ tokens[slot]);
    }
    return state;
  }

  private static long mix(long value) {
    long z = value + 0x9e3779b97f4a7c15L;
    z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
    z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
    return z ^ (z >>> 31);
  }
}
