package dev.sojourn.engine;

import dev.sojourn.core.Fault;
import dev.sojourn.engine.sample.TopLogprobs;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A sink that keeps what it is told, and fails on what may not follow. */
public class RecordedAnswer implements TurnSink {

  public final List<Integer> ids = new ArrayList<>();
  public final List<Float> logprobs = new ArrayList<>();
  public final List<Integer> visible = new ArrayList<>();
  public boolean accepted;
  private @Nullable TurnStart start;
  private @Nullable TurnEnd end;
  private @Nullable Fault fault;

  /** Returns what it began with, which it must have. */
  public TurnStart start() {
    return there(start, "start");
  }

  /** Returns how it ended, which it must have. */
  public TurnEnd end() {
    return there(end, "end");
  }

  /** Returns why it failed, which it must have. */
  public Fault fault() {
    return there(fault, "fault");
  }

  public boolean hasStarted() {
    return start != null;
  }

  public boolean hasFailed() {
    return fault != null;
  }

  /** Returns whether nothing will follow. */
  public boolean isOver() {
    return end != null || fault != null;
  }

  @Override
  public void accepted() {
    require(!accepted && start == null && !isOver(), "accepted");
    accepted = true;
  }

  @Override
  public void started(TurnStart start) {
    require(accepted && this.start == null && !isOver(), "started");
    this.start = start;
  }

  @Override
  public void token(int id, float logprob, TopLogprobs top, int visibleBytes) {
    require(start != null && !isOver(), "token");
    require(visible.isEmpty() || visible.getLast() <= visibleBytes, "taken back");
    ids.add(id);
    logprobs.add(logprob);
    visible.add(visibleBytes);
  }

  @Override
  public void finished(TurnEnd end) {
    require(accepted && !isOver(), "finished");
    require(visible.isEmpty() || visible.getLast() <= end.visibleBytes(), "shown too much");
    this.end = end;
  }

  @Override
  public void failed(Fault fault) {
    require(!isOver(), "failed");
    this.fault = fault;
  }

  private <T> T there(@Nullable T value, String what) {
    if (value == null) {
      throw new AssertionError("no " + what + ", but " + (fault != null ? fault : end));
    }
    return value;
  }

  private static void require(boolean holds, String what) {
    if (!holds) {
      throw new AssertionError(what + " at the wrong time");
    }
  }
}
