package dev.sojourn.server.http;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.sojourn.core.Fault;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoop;
import io.netty.channel.socket.SocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpObject;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.handler.codec.http.QueryStringDecoder;
import io.netty.handler.codec.http.TooLongHttpHeaderException;
import io.netty.handler.codec.http.TooLongHttpLineException;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.ScheduledFuture;
import java.io.ByteArrayOutputStream;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * One client connection: gathers requests within limits, and has at most one of them answered at a
 * time.
 *
 * <p>It never stops reading. While a request is answered, what the client sends ahead waits in a
 * small backlog, because a connection that is not read does not tell that its client is gone; and
 * that has to cancel a prefill at once.
 *
 * <p>Upgrades to HTTP/2 in clear text, which Java's own client asks for by default, are ignored, as
 * the standard allows: the request is answered over HTTP/1.1.
 *
 * <p>Confined to its event loop, apart from {@link #write}, {@link #drop} and {@link #finished}.
 */
final class Connection extends ChannelInboundHandlerAdapter {

  private static final System.Logger LOG = System.getLogger(Connection.class.getName());
  private static final Duration LINGER = Duration.ofSeconds(2);
  private static final long LINGER_BYTES = 64L << 20;

  private final HttpServer server;
  private final Channel channel;
  private final ArrayDeque<HttpObject> backlog = new ArrayDeque<>();
  private int backlogBytes;
  private @Nullable HttpRequest head; // of the request that is arriving
  private ByteArrayOutputStream body = new ByteArrayOutputStream();
  private @Nullable Exchange current;
  private long receivedNanos;
  private boolean lingering; // answered for good; what still comes is thrown away
  private long lingered;
  private @Nullable ScheduledFuture<?> deadline;

  Connection(HttpServer server, Channel channel) {
    this.server = server;
    this.channel = channel;
  }

  HttpConfig config() {
    return server.config();
  }

  Dialect dialect() {
    return server.dialect();
  }

  EventLoop loop() {
    return channel.eventLoop();
  }

  /** Writes and flushes; from any thread, in order for each. */
  ChannelFuture write(Object message) {
    return channel.writeAndFlush(message);
  }

  /** Closes the connection at once; from any thread. */
  void drop() {
    var _ = channel.close(); // what could go wrong with it is that it is closed
  }

  boolean keepsAlive(HttpRequest request) {
    return HttpUtil.isKeepAlive(request) && !server.draining();
  }

  /** The exchange's handler is done; its answer ends with {@code lastWrite}. From any thread. */
  void finished(Exchange exchange, ChannelFuture lastWrite) {
    loop()
        .execute(() -> {
          if (channel.isActive()) {
            closeAfter(config().stallTimeout());
          }
          lastWrite.addListener(_ -> answered(exchange, lastWrite));
        });
  }

  @Override
  public void channelActive(ChannelHandlerContext ctx) {
    if (server.opened(this)) {
      closeAfter(config().idleTimeout());
    } else {
      drop();
    }
  }

  @Override
  public void channelInactive(ChannelHandlerContext ctx) {
    if (deadline != null) {
      deadline.cancel(false);
    }
    server.release(body.size());
    body = new ByteArrayOutputStream();
    dropBacklog();
    server.closed(this);
    if (current != null) {
      current.abort(new Fault.Cancelled("the client closed the connection"));
    }
  }

  /** Interrupts the request that is being answered, if any; called at shutdown. */
  void cancel(Fault why) {
    loop()
        .execute(() -> {
          if (current != null) {
            current.abort(why);
          }
        });
  }

  @Override
  public void channelRead(ChannelHandlerContext ctx, Object message) {
    if (lingering) {
      lingered += size(message);
      ReferenceCountUtil.release(message);
      if (lingered > LINGER_BYTES) {
        drop();
      }
    } else if (current != null) {
      backlog.add((HttpObject) message);
      backlogBytes += size(message);
      if (backlogBytes > config().maxPipelined()) {
        drop();
      }
    } else {
      receive((HttpObject) message);
    }
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
    // A reset connection ends here; so does what a broken client makes the decoder throw.
    LOG.log(Level.DEBUG, "connection closed", cause);
    drop();
  }

  private void receive(HttpObject message) {
    try {
      if (message.decoderResult().isFailure()) {
        refuseMalformed(message.decoderResult().cause());
      } else if (message instanceof HttpRequest request) {
        begin(request);
      }
      if (message instanceof HttpContent content && head != null && !lingering) {
        append(content);
        if (message instanceof LastHttpContent && head != null) {
          dispatch(head);
        }
      }
    } finally {
      ReferenceCountUtil.release(message);
    }
  }

  private void begin(HttpRequest request) {
    head = request;
    closeAfter(config().requestTimeout());
    if (server.draining() && !server.routes().drains(request.method().name(), path(request))) {
      refuse(503, new Fault.Unavailable("the server is shutting down"));
    } else if (HttpUtil.getContentLength(request, 0L) > config().maxBody()) {
      refuseTooLarge();
    } else if (isEncoded(request)) {
      String encoding = shown(encoding(request));
      refuse(
          dialect()
              .error(
                  415,
                  Fault.invalid(
                      "content-encoding",
                      "the body is encoded as "
                          + encoding
                          + "; send it as it is, without"
                          + " Content-Encoding"))
              .with("accept-encoding", "identity"));
    } else if (expectsOther(request)) {
      refuse(417, Fault.invalid("the only expectation known is 100-continue"));
    } else if (HttpUtil.is100ContinueExpected(request)) {
      var _ =
          write(
              new DefaultFullHttpResponse(
                  HttpVersion.HTTP_1_1, HttpResponseStatus.CONTINUE, Unpooled.EMPTY_BUFFER));
    }
  }

  private void append(HttpContent content) {
    int bytes = content.content().readableBytes();
    if (bytes == 0) {
      return;
    }
    if (body.size() + bytes > config().maxBody()) {
      refuseTooLarge();
    } else if (server.reserve(bytes)) {
      byte[] piece = new byte[bytes];
      content.content().readBytes(piece);
      body.writeBytes(piece);
    } else {
      refuse(
          529, new Fault.Overloaded("too many large requests at one time", Duration.ofSeconds(1)));
    }
  }

  private void dispatch(HttpRequest request) {
    byte[] bytes = body.toByteArray();
    body = new ByteArrayOutputStream();
    head = null;
    if (deadline != null) {
      deadline.cancel(false);
    }
    receivedNanos = server.clock().nanos();
    String id = requestId(request);
    String path = path(request);
    Optional<Routes.Match> match;
    Handler handler;
    try {
      match = server.routes().find(request.method().name(), path);
      handler = match.map(found -> found.route().handler()).orElseGet(() -> unmatched(path));
    } catch (IllegalArgumentException malformedEscape) {
      match = Optional.empty();
      handler =
          _ -> {
            throw Fault.invalid("the path has a malformed percent escape").asException();
          };
    }
    Exchange exchange = new Exchange(this, request, id, path, bytes, match.orElse(null), handler);
    current = exchange;
    server.begun();
    exchange.start();
  }

  private Handler unmatched(String path) {
    var methods = server.routes().methods(path);
    if (methods.isEmpty()) {
      return _ -> {
        throw new Fault.NotFound("not_found", "there is nothing at " + shown(path)).asException();
      };
    }
    String allowed = String.join(", ", methods);
    return exchange ->
        exchange.reply(
            dialect()
                .error(405, Fault.invalid(shown(path) + " takes " + allowed + " only"))
                .with("allow", allowed));
  }

  private void answered(Exchange exchange, ChannelFuture lastWrite) {
    server.release(exchange.bodyBytes());
    boolean gone = exchange.interruption() instanceof Fault.Cancelled;
    server.ended(exchange.route(), gone ? 499 : exchange.status(), receivedNanos);
    current = null;
    if (!channel.isActive()) {
      return;
    }
    boolean endsByClosing =
        !exchange.head().protocolVersion().isKeepAliveDefault() && exchange.isStream();
    if (!keepsAlive(exchange.head()) || endsByClosing) {
      linger(lastWrite);
      return;
    }
    closeAfter(config().idleTimeout());
    while (current == null && !lingering && !backlog.isEmpty()) {
      HttpObject next = backlog.remove();
      backlogBytes -= size(next);
      receive(next);
    }
  }

  private void refuseMalformed(Throwable cause) {
    switch (cause) {
      case TooLongHttpLineException _ ->
          refuse(414, Fault.invalid("the request line is longer than this server reads"));
      case TooLongHttpHeaderException _ ->
          refuse(
              431, Fault.invalid("the headers have more than " + config().maxHeaders() + " bytes"));
      default -> refuse(400, Fault.invalid("this is not a well-formed HTTP/1.1 request"));
    }
  }

  private void refuseTooLarge() {
    refuse(413, new Fault.TooLarge("the body has more than " + config().maxBody() + " bytes"));
  }

  /** Answers a request that has not arrived in full, and with it the connection ends. */
  private void refuse(int status, Fault fault) {
    refuse(dialect().error(status, fault));
  }

  private void refuse(Reply reply) {
    var response =
        new DefaultFullHttpResponse(
            HttpVersion.HTTP_1_1,
            Exchange.statusLine(reply.status()),
            Unpooled.wrappedBuffer(reply.body()));
    reply.headers().forEach((name, value) -> response.headers().set(name, value));
    response
        .headers()
        .set("x-request-id", head == null ? UUID.randomUUID().toString() : requestId(head))
        .set(HttpHeaderNames.CONNECTION, "close")
        .setInt(HttpHeaderNames.CONTENT_LENGTH, reply.body().length);
    head = null;
    server.release(body.size());
    body = new ByteArrayOutputStream();
    server.refused(reply.status());
    linger(write(response));
  }

  /**
   * Ends the connection so that the client can still read the answer: closing a socket with unread
   * input would reset it, and the answer with it.
   */
  private void linger(ChannelFuture lastWrite) {
    lingering = true;
    dropBacklog();
    closeAfter(config().stallTimeout());
    lastWrite.addListener(_ -> {
      if (channel.isActive()) {
        var _ = ((SocketChannel) channel).shutdownOutput();
        closeAfter(LINGER);
      }
    });
  }

  private void dropBacklog() {
    backlog.forEach(ReferenceCountUtil::release);
    backlog.clear();
    backlogBytes = 0;
  }

  private void closeAfter(Duration time) {
    if (deadline != null) {
      deadline.cancel(false);
    }
    deadline = loop().schedule(this::expire, time.toNanos(), TimeUnit.NANOSECONDS);
  }

  private void expire() {
    if (head != null && !lingering) {
      refuse(408, Fault.invalid("the request did not arrive in " + config().requestTimeout()));
    } else {
      drop();
    }
  }

  /** Returns the client's id of a request if it is fit for a log line, else one of ours. */
  private static String requestId(HttpRequest request) {
    String given = request.headers().get("x-request-id");
    boolean fit =
        given != null
            && !given.isEmpty()
            && given.length() <= 128
            && given.chars().allMatch(c -> c > ' ' && c < 0x7f);
    return fit ? given : UUID.randomUUID().toString();
  }

  /** Returns whether a request has a body that would have to be decoded. */
  private static boolean isEncoded(HttpRequest request) {
    String encoding = encoding(request);
    boolean hasBody =
        HttpUtil.getContentLength(request, 0L) > 0 || HttpUtil.isTransferEncodingChunked(request);
    return hasBody && !encoding.isBlank();
  }

  /** Returns what a body is encoded by; blank for nothing. */
  private static String encoding(HttpRequest request) {
    return request.headers().getAll(HttpHeaderNames.CONTENT_ENCODING).stream()
        .filter(encoding -> !encoding.strip().equalsIgnoreCase("identity"))
        .collect(Collectors.joining(", "));
  }

  private static boolean expectsOther(HttpRequest request) {
    String expectation = request.headers().get(HttpHeaderNames.EXPECT);
    return expectation != null && !expectation.equalsIgnoreCase("100-continue");
  }

  private static String path(HttpRequest request) {
    return new QueryStringDecoder(originForm(request.uri()), UTF_8).rawPath();
  }

  /** Returns the target of a request without scheme and authority, which proxies' clients send. */
  private static String originForm(String target) {
    if (!target.regionMatches(true, 0, "http://", 0, 7)
        && !target.regionMatches(true, 0, "https://", 0, 8)) {
      return target;
    }
    int path = target.indexOf('/', target.indexOf("//") + 2);
    return path < 0 ? "/" : target.substring(path);
  }

  private static String shown(String path) {
    return path.length() <= 200 ? path : path.substring(0, 200) + "…";
  }

  private static int size(Object message) {
    int head = message instanceof HttpRequest request ? size(request) : 0;
    return head + (message instanceof HttpContent content ? content.content().readableBytes() : 0);
  }

  private static int size(HttpRequest head) {
    int size = 256 + head.uri().length();
    for (var header : head.headers()) {
      size += header.getKey().length() + header.getValue().length();
    }
    return size;
  }
}
