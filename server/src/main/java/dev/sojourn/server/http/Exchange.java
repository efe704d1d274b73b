package dev.sojourn.server.http;

import static java.util.Objects.requireNonNull;

import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.QueryStringDecoder;
import java.lang.System.Logger.Level;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One request and its answer. A handler either calls {@link #reply} once, or opens the one event
 * stream with {@link #events}, which ends when the handler returns.
 *
 * <p>Belongs to the handler's thread; the event stream may be written by several.
 */
public final class Exchange {

  private static final System.Logger LOG = System.getLogger(Exchange.class.getName());

  private final Connection connection;
  private final HttpRequest head;
  private final String id;
  private final String path;
  private final byte[] body;
  private final Routes.@Nullable Match match;
  private final Thread thread;
  private final Map<String, String> headers = new LinkedHashMap<>(); // guarded by itself
  private volatile @Nullable Fault interruption;
  private volatile int status;
  private @Nullable EventStream events;
  private @Nullable ChannelFuture lastWrite;

  /**
   * Creates an exchange whose handler {@link #start} runs.
   *
   * @param match its route; null where there is none
   * @param handler what answers it
   */
  Exchange(
      Connection connection,
      HttpRequest head,
      String id,
      String path,
      byte[] body,
      Routes.@Nullable Match match,
      Handler handler) {
    this.connection = connection;
    this.head = head;
    this.id = id;
    this.path = path;
    this.body = body;
    this.match = match;
    this.thread = Thread.ofVirtual().name("http-" + id).unstarted(() -> run(handler));
  }

  /** Returns the request's id: the client's {@code x-request-id}, or one of ours. */
  public String id() {
    return id;
  }

  /** Returns the request's method. */
  public String method() {
    return head.method().name();
  }

  /** Returns the request's path, as it was sent. */
  public String path() {
    return path;
  }

  /** Returns what stood in the path for a name of the route's pattern. */
  public String parameter(String name) {
    String value = match == null ? null : match.parameters().get(name);
    if (value == null) {
      throw new IllegalArgumentException("the route has no parameter " + name);
    }
    return value;
  }

  /**
   * Returns the first value of a query parameter; empty text where it has none.
   *
   * @throws FaultException InvalidRequest, if the query is not well-formed
   */
  public Optional<String> query(String name) {
    List<String> values;
    try {
      values = new QueryStringDecoder(head.uri()).parameters().get(name);
    } catch (IllegalArgumentException malformedEscape) {
      throw Fault.invalid("the query has a malformed percent escape").asException();
    }
    return values == null ? Optional.empty() : Optional.of(values.getFirst());
  }

  /** Returns the first value of a request header, without the blanks around it. */
  public Optional<String> header(String name) {
    return Optional.ofNullable(head.headers().get(name)).map(String::strip);
  }

  /** Returns the request's body; not to be written to. */
  public byte[] body() {
    return body;
  }

  /** Sets a header of the answer; without effect once an event stream has committed its status. */
  public void answerHeader(String name, String value) {
    synchronized (headers) {
      headers.put(name, value);
    }
  }

  /** Sends the answer. */
  public void reply(Reply reply) {
    if (status != 0 || events != null) {
      throw new IllegalStateException("answered twice: " + method() + " " + path);
    }
    send(reply);
  }

  /**
   * Opens the answer as a stream of events. Its status is committed by the first event, or after
   * {@link HttpConfig#commitAfter}: until then a fault still becomes an ordinary error reply.
   */
  public EventStream events() {
    if (status != 0 || events != null) {
      throw new IllegalStateException("answered twice: " + method() + " " + path);
    }
    events = new EventStream(this, connection);
    return events;
  }

  /** Starts the handler's thread. */
  void start() {
    thread.start();
  }

  /**
   * Interrupts the handler, wherever it is; its request then fails with {@code why}. From any
   * thread.
   */
  public void abort(Fault why) {
    interruption = why;
    thread.interrupt();
  }

  /** Returns why the handler was interrupted; null while it was not. */
  @Nullable Fault interruption() {
    return interruption;
  }

  String route() {
    return match == null ? "unmatched" : match.route().pattern();
  }

  int status() {
    return status;
  }

  /** Returns the head of a stream of events; its headers are final from here on. */
  HttpResponse commit() {
    status = 200;
    HttpResponse response = new DefaultHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK);
    setHeaders(response.headers());
    response
        .headers()
        .set(HttpHeaderNames.CONTENT_TYPE, "text/event-stream; charset=utf-8")
        .set(HttpHeaderNames.CACHE_CONTROL, "no-cache")
        .set("x-accel-buffering", "no");
    setConnection(response.headers());
    if (head.protocolVersion().isKeepAliveDefault()) {
      HttpUtil.setTransferEncodingChunked(response, true);
    }
    return response;
  }

  private void run(Handler handler) {
    Fault failure = null;
    try {
      handler.handle(this);
      if (events == null && status == 0) {
        throw new IllegalStateException("no answer to " + method() + " " + path);
      }
    } catch (FaultException e) {
      failure = e.fault();
      logCause(e);
    } catch (InterruptedException e) {
      failure = new Fault.Internal("interrupted");
    } catch (Exception | Error e) {
      LOG.log(Level.ERROR, "request " + id + " failed: " + method() + " " + route(), e);
      failure = new Fault.Internal("internal error; the log names it by request id " + id);
    }
    Fault why = interruption;
    finish(failure != null && why != null ? why : failure);
  }

  private void finish(@Nullable Fault failure) {
    if (events != null && (failure == null || events.committed())) {
      lastWrite = events.end(failure);
    } else if (failure != null) {
      if (events != null) {
        ChannelFuture committedMeanwhile = events.abandon(failure);
        if (committedMeanwhile != null) {
          lastWrite = committedMeanwhile;
        }
      }
      if (lastWrite == null) {
        int code = Dialect.status(failure);
        send(connection.dialect().error(code, failure));
      }
    }
    connection.finished(this, requireNonNull(lastWrite, "an answer was sent"));
  }

  private void logCause(FaultException e) {
    if (e.fault() instanceof Fault.Internal) {
      LOG.log(Level.ERROR, "request " + id + " failed: " + method() + " " + route(), e);
    }
  }

  private void send(Reply reply) {
    status = reply.status();
    DefaultFullHttpResponse response =
        new DefaultFullHttpResponse(
            HttpVersion.HTTP_1_1, statusLine(reply.status()), Unpooled.wrappedBuffer(reply.body()));
    setHeaders(response.headers());
    reply.headers().forEach((name, value) -> response.headers().set(name, value));
    response.headers().setInt(HttpHeaderNames.CONTENT_LENGTH, reply.body().length);
    setConnection(response.headers());
    lastWrite = connection.write(response);
  }

  /** Says whether the connection goes on; a stream over HTTP/1.0 can only end with it. */
  private void setConnection(HttpHeaders response) {
    boolean standard = head.protocolVersion().isKeepAliveDefault();
    if (!connection.keepsAlive(head) || (!standard && events != null)) {
      response.set(HttpHeaderNames.CONNECTION, "close");
    } else if (!standard) {
      response.set(HttpHeaderNames.CONNECTION, "keep-alive");
    }
  }

  /** Names the statuses that Netty does not know. */
  static HttpResponseStatus statusLine(int status) {
    return switch (status) {
      case 499 -> HttpResponseStatus.valueOf(499, "Client Closed Request");
      case 529 -> HttpResponseStatus.valueOf(529, "Overloaded");
      default -> HttpResponseStatus.valueOf(status);
    };
  }

  private void setHeaders(HttpHeaders response) {
    response.set("x-request-id", id);
    synchronized (headers) {
      headers.forEach(response::set);
    }
  }

  HttpRequest head() {
    return head;
  }

  int bodyBytes() {
    return body.length;
  }

  /** Returns whether the answer was a stream of events. */
  boolean isStream() {
    return status == 200 && events != null;
  }
}
