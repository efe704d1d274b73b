package dev.sojourn.server.http;

import dev.sojourn.core.Clock;
import dev.sojourn.core.Fault;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.http.HttpDecoderConfig;
import io.netty.handler.codec.http.HttpServerCodec;
import java.net.BindException;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Listens, and has requests answered by its {@link Routes}. Thread-safe.
 *
 * <p>{@link #drain} refuses what is new with 503, apart from {@link Routes#onToTheEnd}, waits for
 * what runs, then interrupts it; {@link #close} ends everything.
 */
public final class HttpServer implements AutoCloseable {

  private static final Duration AFTER_INTERRUPT = Duration.ofSeconds(2);

  private final HttpConfig config;
  private final Routes routes;
  private final Dialect dialect;
  private final RequestLog log;
  private final Clock clock;
  private final AtomicLong buffered = new AtomicLong();
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition idle = lock.newCondition();
  private final Set<Connection> connections = new HashSet<>(); // guarded by lock
  private int running; // requests; guarded by lock
  private final EventLoopGroup loops;
  private final Channel acceptor;
  private volatile boolean draining;

  /**
   * Starts listening.
   *
   * @throws ListenException if the address cannot be listened on
   */
  public HttpServer(HttpConfig config, Routes routes, Dialect dialect, RequestLog log, Clock clock)
      throws ListenException {
    this.config = config;
    this.routes = routes;
    this.dialect = dialect;
    this.log = log;
    this.clock = clock;
    this.loops = new MultiThreadIoEventLoopGroup(2, NioIoHandler.newFactory());
    try {
      this.acceptor = bind();
    } catch (ListenException e) {
      loops.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly();
      throw e;
    }
  }

  /** Returns the address it listens on, with the port that was taken. */
  public InetSocketAddress address() {
    return (InetSocketAddress) acceptor.localAddress();
  }

  /**
   * Refuses new requests and waits for the running ones; those that take longer are interrupted.
   *
   * @return whether all ended in time
   */
  public boolean drain(Duration patience) throws InterruptedException {
    draining = true;
    if (awaitIdle(patience)) {
      return true;
    }
    for (Connection connection : snapshot()) {
      connection.cancel(new Fault.Unavailable("the server is shutting down"));
    }
    awaitIdle(AFTER_INTERRUPT);
    return false;
  }

  /** Closes every connection and stops listening. */
  @Override
  public void close() {
    draining = true;
    acceptor.close().awaitUninterruptibly();
    for (Connection connection : snapshot()) {
      connection.drop();
    }
    try {
      awaitIdle(AFTER_INTERRUPT); // handlers write their last words to the loops
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    loops.shutdownGracefully(0, 2, TimeUnit.SECONDS).awaitUninterruptibly();
  }

  private Channel bind() throws ListenException {
    InetSocketAddress address = new InetSocketAddress(config.host(), config.port());
    String shown = config.host() + ":" + config.port();
    if (address.isUnresolved()) {
      throw new ListenException(
          "cannot listen on " + shown + ": no such host", new UnknownHostException(config.host()));
    }
    ChannelFuture bound =
        new ServerBootstrap()
            .group(loops)
            .channel(NioServerSocketChannel.class)
            .option(ChannelOption.SO_REUSEADDR, true)
            .option(ChannelOption.SO_BACKLOG, 1024)
            .childOption(ChannelOption.TCP_NODELAY, true)
            .childHandler(
                new ChannelInitializer<SocketChannel>() {
                  @Override
                  protected void initChannel(SocketChannel channel) {
                    channel
                        .pipeline()
                        .addLast(new HttpServerCodec(limits()))
                        .addLast(new Connection(HttpServer.this, channel));
                  }
                })
            .bind(address)
            .awaitUninterruptibly();
    if (!bound.isSuccess()) {
      Throwable cause = bound.cause();
      String why =
          cause instanceof BindException bind
                  && String.valueOf(bind.getMessage()).contains("in use")
              ? "the port is in use; stop the other program or choose another port"
              : String.valueOf(cause.getMessage());
      throw new ListenException("cannot listen on " + shown + ": " + why, cause);
    }
    return bound.channel();
  }

  private HttpDecoderConfig limits() {
    return new HttpDecoderConfig()
        .setMaxInitialLineLength(8 << 10)
        .setMaxHeaderSize(config.maxHeaders())
        .setMaxChunkSize(64 << 10);
  }

  private boolean awaitIdle(Duration patience) throws InterruptedException {
    lock.lock();
    try {
      long left = patience.toNanos();
      while (running > 0 && left > 0) {
        left = idle.awaitNanos(left);
      }
      return running == 0;
    } finally {
      lock.unlock();
    }
  }

  /** Takes a new connection; false if there are too many. */
  boolean opened(Connection connection) {
    lock.lock();
    try {
      return connections.size() < config.maxConnections() && connections.add(connection);
    } finally {
      lock.unlock();
    }
  }

  void closed(Connection connection) {
    lock.lock();
    try {
      connections.remove(connection);
    } finally {
      lock.unlock();
    }
  }

  /** Takes bytes for a body out of what all bodies share; false if there is not enough left. */
  boolean reserve(int bytes) {
    if (buffered.addAndGet(bytes) <= config.maxBuffered()) {
      return true;
    }
    buffered.addAndGet(-bytes);
    return false;
  }

  void release(int bytes) {
    buffered.addAndGet(-bytes);
  }

  /** A request has arrived in full; {@link #ended} follows. */
  void begun() {
    lock.lock();
    try {
      running++;
    } finally {
      lock.unlock();
    }
  }

  void ended(String route, int status, long receivedNanos) {
    log.completed(route, status, clock.nanos() - receivedNanos);
    lock.lock();
    try {
      running--;
      idle.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** A request was refused before it had arrived in full. */
  void refused(int status) {
    log.completed("unmatched", status, 0);
  }

  private List<Connection> snapshot() {
    lock.lock();
    try {
      return List.copyOf(connections);
    } finally {
      lock.unlock();
    }
  }

  HttpConfig config() {
    return config;
  }

  Routes routes() {
    return routes;
  }

  Dialect dialect() {
    return dialect;
  }

  Clock clock() {
    return clock;
  }

  boolean draining() {
    return draining;
  }
}
