package dev.sojourn.backend;

import dev.sojourn.core.CloseResult;
import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.KvEvent;
import dev.sojourn.core.Opened;
import dev.sojourn.core.Promise;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionSettings;
import dev.sojourn.core.SessionTokens;
import dev.sojourn.core.SessionView;
import dev.sojourn.core.WorkerId;
import dev.sojourn.engine.Engine;
import dev.sojourn.engine.EngineStats;
import dev.sojourn.engine.TurnRequest;
import dev.sojourn.text.TokenBytes;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.function.IntConsumer;
import java.util.function.ObjIntConsumer;

/**
 * A worker whose ranks are engines in this process. It promises {@link Promise#LEASED}: what is
 * lost of a session's KV is recomputed. Owns its engines.
 */
public final class EmbeddedWorker implements Worker {

  private final WorkerId id;
  private final List<Engine> engines;
  private final TokenBytes spelling;

  /**
   * Creates a worker.
   *
   * @param engines by rank; closed with it
   * @param spelling what the model's tokens spell
   */
  public EmbeddedWorker(WorkerId id, List<Engine> engines, TokenBytes spelling) {
    this.id = id;
    this.engines = List.copyOf(engines);
    this.spelling = spelling;
  }

  @Override
  public WorkerId id() {
    return id;
  }

  @Override
  public int ranks() {
    return engines.size();
  }

  @Override
  public Promise promise() {
    return Promise.LEASED;
  }

  /** {@inheritDoc} Not interruptible: an engine answers between two steps. */
  @Override
  public Opened open(int rank, SessionSettings settings) {
    return answer(engine(rank).open(settings));
  }

  @Override
  public boolean extend(int rank, SessionId session, Incarnation incarnation, Duration idle) {
    return answer(engine(rank).extend(session, incarnation, idle));
  }

  @Override
  public Optional<SessionTokens> tokens(int rank, SessionId session, Incarnation incarnation) {
    return answer(engine(rank).tokens(session, incarnation));
  }

  @Override
  public CloseResult close(int rank, SessionId session, Incarnation incarnation, OnClose how)
      throws InterruptedException {
    try {
      return engine(rank).close(session, incarnation, how).get();
    } catch (ExecutionException e) {
      throw faultOf(e);
    }
  }

  @Override
  public Generation generate(int rank, TurnRequest request) throws InterruptedException {
    Engine engine = engine(rank);
    EmbeddedGeneration generation =
        new EmbeddedGeneration(spelling, () -> engine.cancel(request.requestId()));
    engine.submit(request, generation);
    generation.awaitAccepted();
    return generation;
  }

  @Override
  public List<SessionView> sessions(int rank) {
    return engine(rank).sessions();
  }

  @Override
  public EngineStats stats(int rank) {
    return engine(rank).stats();
  }

  @Override
  public Optional<String> failure(int rank) {
    return engine(rank).failure();
  }

  @Override
  public void onFailure(IntConsumer listener) {
    for (int rank = 0; rank < engines.size(); rank++) {
      int of = rank;
      engines.get(rank).onFailure(_ -> listener.accept(of));
    }
  }

  @Override
  public void check(int rank) {
    try {
      engine(rank).check().join();
    } catch (CompletionException e) {
      throw new FaultException(
          new Fault.Internal("rank " + rank + " of " + id + ": " + e.getCause()), e);
    }
  }

  @Override
  public void subscribe(ObjIntConsumer<KvEvent> subscriber) {
    for (int rank = 0; rank < engines.size(); rank++) {
      int of = rank;
      engines.get(rank).subscribe(event -> subscriber.accept(event, of));
    }
  }

  @Override
  public void close() {
    engines.forEach(Engine::close);
  }

  private Engine engine(int rank) {
    if (rank < 0 || rank >= engines.size()) {
      throw new Fault.Unavailable(
              "worker " + id + " has ranks 0 to " + (engines.size() - 1) + ", not " + rank)
          .asException();
    }
    return engines.get(rank);
  }

  private static <T> T answer(CompletableFuture<T> question) {
    try {
      return question.join();
    } catch (CompletionException e) {
      throw faultOf(e);
    }
  }

  private static FaultException faultOf(Exception failure) {
    return failure.getCause() instanceof FaultException fault
        ? fault
        : new FaultException(new Fault.Internal("the engine failed"), failure);
  }
}
