package dev.sojourn.server.http;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.handler.codec.http.DefaultHttpContent;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * An answer as server-sent events: {@code data: }, the payload, two line feeds, one flush an event.
 *
 * <p>While nothing is sent, a comment goes out every {@link HttpConfig#pingEvery}, so that nobody
 * on the way takes a long prefill for a dead connection.
 *
 * <p>A writer waits while {@value #HIGH_WATER} bytes are on their way to the client. A client that
 * takes nothing for {@link HttpConfig#stallTimeout} counts as gone: its connection is closed, and
 * so the heap never holds more for it. Thread-safe.
 */
public final class EventStream {

  private static final int HIGH_WATER = 128 << 10;
  private static final byte[] DATA = "data: ".getBytes(UTF_8);
  private static final byte[] END = "\n\n".getBytes(UTF_8);
  private static final byte[] PING = ": ping\n\n".getBytes(UTF_8);

  private final Exchange exchange;
  private final Connection connection;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition drained = lock.newCondition();
  private boolean committed;
  private boolean ended;
  private boolean silent = true; // since the timer last looked
  private int onTheWay; // bytes written, not yet taken by the socket
  private ScheduledFuture<?> timer;

  EventStream(Exchange exchange, Connection connection) {
    this.exchange = exchange;
    this.connection = connection;
    this.timer =
        connection
            .loop()
            .schedule(
                this::commitLate,
                connection.config().commitAfter().toNanos(),
                TimeUnit.NANOSECONDS);
  }

  /**
   * Sends one event whose payload is the parts, one after the other; they hold no line feed.
   *
   * @throws FaultException if the client is gone
   * @throws InterruptedException if it hung up while this waited for it to read
   */
  public void data(byte[]... parts) throws InterruptedException {
    int length = DATA.length + END.length;
    for (byte[] part : parts) {
      length += part.length;
    }
    ByteBuf event = Unpooled.buffer(length, length);
    event.writeBytes(DATA);
    for (byte[] part : parts) {
      event.writeBytes(part);
    }
    event.writeBytes(END);
    lock.lockInterruptibly();
    try {
      awaitRoom();
      commit();
      silent = false;
      write(event);
    } finally {
      lock.unlock();
    }
  }

  /** Returns whether the status went out, so that a fault must be told in an event. */
  public boolean committed() {
    lock.lock();
    try {
      return committed;
    } finally {
      lock.unlock();
    }
  }

  /** Ends the stream, after an error event if there was a fault; returns the last write. */
  ChannelFuture end(@Nullable Fault failure) {
    lock.lock();
    try {
      commit();
      if (failure != null) {
        ByteBuf event = Unpooled.buffer();
        event.writeBytes(DATA).writeBytes(connection.dialect().errorEvent(failure)).writeBytes(END);
        write(event);
      }
      stop();
      return connection.write(LastHttpContent.EMPTY_LAST_CONTENT);
    } finally {
      lock.unlock();
    }
  }

  /**
   * Gives the stream up for an ordinary error reply; or, if the timer has committed it since, ends
   * it with the fault and returns the last write.
   */
  @Nullable ChannelFuture abandon(Fault failure) {
    lock.lock();
    try {
      if (committed) {
        return end(failure);
      }
      stop();
      return null;
    } finally {
      lock.unlock();
    }
  }

  private void awaitRoom() throws InterruptedException {
    while (onTheWay > HIGH_WATER && !ended) {
      int before = onTheWay;
      boolean moved =
          drained.await(connection.config().stallTimeout().toNanos(), TimeUnit.NANOSECONDS)
              || onTheWay < before;
      if (!moved) {
        connection.drop();
        throw new Fault.Cancelled("the client stopped reading").asException();
      }
    }
    Fault why = exchange.interruption();
    if (why != null || ended) {
      throw new FaultException(why == null ? new Fault.Cancelled("the stream is over") : why);
    }
  }

  private void commit() {
    if (!committed) {
      committed = true;
      var _ = connection.write(exchange.commit()); // a failure closes the connection
      timer.cancel(false);
      long period = connection.config().pingEvery().toNanos();
      timer =
          connection
              .loop()
              .scheduleAtFixedRate(this::pingIfSilent, period, period, TimeUnit.NANOSECONDS);
    }
  }

  private void commitLate() {
    lock.lock();
    try {
      if (!committed && !ended) {
        commit();
        write(Unpooled.wrappedBuffer(PING));
      }
    } finally {
      lock.unlock();
    }
  }

  private void pingIfSilent() {
    lock.lock();
    try {
      if (silent && !ended && onTheWay == 0) {
        write(Unpooled.wrappedBuffer(PING));
      }
      silent = true;
    } finally {
      lock.unlock();
    }
  }

  private void write(ByteBuf bytes) {
    int length = bytes.readableBytes();
    onTheWay += length;
    connection.write(new DefaultHttpContent(bytes)).addListener(_ -> taken(length));
  }

  private void taken(int length) {
    lock.lock();
    try {
      onTheWay -= length;
      drained.signalAll();
    } finally {
      lock.unlock();
    }
  }

  private void stop() {
    ended = true;
    timer.cancel(false);
    drained.signalAll();
  }
}
