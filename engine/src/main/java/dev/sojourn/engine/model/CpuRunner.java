package dev.sojourn.engine.model;

import dev.sojourn.core.BlockHasher;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReference;

/** Runs a loaded model over the KV pages of one rank. */
final class CpuRunner implements ModelRunner {

  private final ForwardPass pass;
  private final KvCache kv;
  private final int vocabularySize;
  private final int contextLength;
  private final int pages;
  private final AtomicReference<Runnable> atClose;

  /** Creates it; {@code atClose} runs once, when its KV is freed. */
  CpuRunner(ForwardPass pass, KvCache kv, ModelShape shape, int pages, Runnable atClose) {
    this.atClose = new AtomicReference<>(atClose);
    this.pass = pass;
    this.kv = kv;
    this.vocabularySize = shape.vocabularySize();
    this.contextLength = shape.contextLength();
    this.pages = pages;
  }

  /** Returns where its keys and values are. */
  KvCache kv() {
    return kv;
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
    return pages;
  }

  /**
   * {@inheritDoc}
   *
   * @throws IllegalArgumentException if a token, a position or a page is not the model's
   */
  @Override
  public void run(StepBatch batch) {
    for (int slice = 0; slice < batch.slices(); slice++) {
      check(batch, slice);
    }
    pass.run(batch, kv);
  }

  private void check(StepBatch batch, int slice) {
    int length = batch.length(slice);
    int end = batch.position(slice) + length;
    if (length < 1 || batch.position(slice) < 0 || end > contextLength) {
      throw new IllegalArgumentException(
          "slice %d holds positions %d to %d; a context has %d"
              .formatted(slice, batch.position(slice), end, contextLength));
    }
    for (int i = 0; i < length; i++) {
      Objects.checkIndex(batch.id(slice, i), vocabularySize);
    }
    for (int position = 0; position < end; position += BlockHasher.BLOCK) {
      Objects.checkIndex(batch.page(slice, position), pages);
    }
  }

  @Override
  public void copySlots(int from, int to, int slots) {
    Objects.checkIndex(from, pages);
    Objects.checkIndex(to, pages);
    Objects.checkIndex(slots, BlockHasher.BLOCK + 1);
    kv.copySlots(from, to, slots);
  }

  @Override
  public void close() {
    kv.close();
    atClose.getAndSet(() -> {}).run();
  }
}
