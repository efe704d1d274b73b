package dev.sojourn.server.http;

import java.time.Duration;

/**
 * How the server listens, and what it puts up with.
 *
 * @param host address or name to listen on
 * @param port port to listen on; 0 takes a free one
 * @param maxBody the most bytes of one request's body (413 beyond)
 * @param maxBuffered the most bytes of all requests' bodies at one time (529 beyond)
 * @param maxHeaders the most bytes of a request's headers (431 beyond)
 * @param maxPipelined the most bytes a client may send ahead while a request of its runs
 * @param maxConnections the most connections at one time; more are closed at once
 * @param requestTimeout how long a request may take to arrive
 * @param idleTimeout how long a connection may wait for a request
 * @param stallTimeout how long a client may take nothing of what is sent before it counts as gone
 * @param commitAfter when an event stream commits its status though nothing is known yet
 * @param pingEvery how often a silent event stream sends a comment
 */
public record HttpConfig(
    String host,
    int port,
    int maxBody,
    long maxBuffered,
    int maxHeaders,
    int maxPipelined,
    int maxConnections,
    Duration requestTimeout,
    Duration idleTimeout,
    Duration stallTimeout,
    Duration commitAfter,
    Duration pingEvery) {

  public HttpConfig {
    if (port < 0 || port > 65_535) {
      throw new IllegalArgumentException("a port is 0 to 65535, not " + port);
    }
    if (maxBody < 1 || maxBuffered < maxBody) {
      throw new IllegalArgumentException(
          "body limits: one " + maxBody + ", all together " + maxBuffered + " bytes");
    }
  }

  /** Loopback, port 8000, and limits that suit long agent conversations. */
  public static HttpConfig defaults() {
    return new HttpConfig(
        "127.0.0.1",
        8000,
        32 << 20,
        256L << 20,
        32 << 10,
        256 << 10,
        4096,
        Duration.ofSeconds(60),
        Duration.ofSeconds(75),
        Duration.ofSeconds(30),
        Duration.ofSeconds(5),
        Duration.ofSeconds(15));
  }

  /** Returns this with another address to listen on. */
  public HttpConfig listeningOn(String newHost, int newPort) {
    return new HttpConfig(
        newHost,
        newPort,
        maxBody,
        maxBuffered,
        maxHeaders,
        maxPipelined,
        maxConnections,
        requestTimeout,
        idleTimeout,
        stallTimeout,
        commitAfter,
        pingEvery);
  }

  /** Returns this with another limit on one body. */
  public HttpConfig withMaxBody(int newMaxBody) {
    return new HttpConfig(
        host,
        port,
        newMaxBody,
        Math.max(maxBuffered, newMaxBody),
        maxHeaders,
        maxPipelined,
        maxConnections,
        requestTimeout,
        idleTimeout,
        stallTimeout,
        commitAfter,
        pingEvery);
  }

  /** Returns this with other habits of an event stream that has nothing to say yet. */
  public HttpConfig withPatience(Duration newCommitAfter, Duration newPingEvery) {
    return new HttpConfig(
        host,
        port,
        maxBody,
        maxBuffered,
        maxHeaders,
        maxPipelined,
        maxConnections,
        requestTimeout,
        idleTimeout,
        stallTimeout,
        newCommitAfter,
        newPingEvery);
  }

  /** Returns this with other timeouts for what a client sends and takes. */
  public HttpConfig withTimeouts(Duration newRequest, Duration newIdle, Duration newStall) {
    return new HttpConfig(
        host,
        port,
        maxBody,
        maxBuffered,
        maxHeaders,
        maxPipelined,
        maxConnections,
        newRequest,
        newIdle,
        newStall,
        commitAfter,
        pingEvery);
  }
}
