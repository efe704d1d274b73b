package dev.sojourn.engine.model;

import dev.sojourn.core.BlockHasher;
import java.util.Arrays;
import java.util.Random;

/** Puts one context through a runner, slice by slice, and keeps its page table. */
final class Run {

  private final ModelRunner runner;
  final int[] pages;
  private int position;

  Run(ModelRunner runner, int... pages) {
    this.runner = runner;
    this.pages = pages;
  }

  /** Computes these tokens alone and returns the logits after the last. */
  float[] feed(int... ids) {
    StepBatch batch = new StepBatch(runner.vocabularySize());
    int slice = add(batch, true, ids);
    runner.run(batch);
    return batch.logits(slice).clone();
  }

  /** Adds these tokens to a step that the caller runs. */
  int add(StepBatch batch, boolean wantsLogits, int... ids) {
    int slice = batch.addSlice(position, pages, wantsLogits);
    for (int id : ids) {
      batch.addToken(id);
    }
    position += ids.length;
    return slice;
  }

  /** Goes on from a position whose KV is in the pages. */
  Run from(int newPosition) {
    position = newPosition;
    return this;
  }

  static int[] prompt(int length, long seed) {
    return new Random(seed).ints(length, 0, TinyModel.VOCABULARY).toArray();
  }

  /** Returns as many pages as tokens need, from {@code first} on. */
  static int[] pages(int tokens, int first) {
    int[] pages = new int[Math.ceilDiv(tokens, BlockHasher.BLOCK)];
    Arrays.setAll(pages, i -> first + i);
    return pages;
  }
}
