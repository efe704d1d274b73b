package dev.sojourn.server.http;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.Socket;

/** A client that says exactly what it is told, and hangs up when it likes. */
public final class RawClient implements AutoCloseable {

  private final Socket socket;
  private final InputStream in;

  /** Connects; reads give up after 20 s, so that a test fails instead of hanging. */
  public RawClient(InetSocketAddress address) throws IOException {
    socket = new Socket(address.getAddress(), address.getPort());
    socket.setSoTimeout(20_000);
    in = new BufferedInputStream(socket.getInputStream());
  }

  /** Sends text. */
  public RawClient say(String text) throws IOException {
    socket.getOutputStream().write(text.getBytes(UTF_8));
    socket.getOutputStream().flush();
    return this;
  }

  /** Sends a request with a body and its length. */
  public RawClient post(String path, String body, String... headers) throws IOException {
    StringBuilder head = new StringBuilder("POST " + path + " HTTP/1.1\r\nHost: test\r\n");
    for (String header : headers) {
      head.append(header).append("\r\n");
    }
    int length = body.getBytes(UTF_8).length;
    return say(head + "Content-Length: " + length + "\r\n\r\n" + body);
  }

  /** Reads one line, without its end. */
  public String line() throws IOException {
    ByteArrayOutputStream line = new ByteArrayOutputStream();
    for (int b = in.read(); b != '\n'; b = in.read()) {
      if (b < 0) {
        throw new EOFException("connection ended after: " + line.toString(UTF_8));
      }
      if (b != '\r') {
        line.write(b);
      }
    }
    return line.toString(UTF_8);
  }

  /** Reads lines until one that contains the text, and returns it. */
  public String lineWith(String text) throws IOException {
    String line = line();
    while (!line.contains(text)) {
      line = line();
    }
    return line;
  }

  /** Reads one answer that has a length: status line, headers and body, as text. */
  public String answer() throws IOException {
    StringBuilder answer = new StringBuilder();
    int length = 0;
    for (String line = line(); !line.isEmpty(); line = line()) {
      answer.append(line).append('\n');
      if (line.toLowerCase(java.util.Locale.ROOT).startsWith("content-length:")) {
        length = Integer.parseInt(line.substring(15).strip());
      }
    }
    return answer + "\n" + new String(in.readNBytes(length), UTF_8);
  }

  /** Reads to the end of the connection. */
  public String rest() throws IOException {
    return new String(in.readAllBytes(), UTF_8);
  }

  /** Ends the connection with a reset instead of a farewell. */
  public void reset() throws IOException {
    socket.setSoLinger(true, 0);
    socket.close();
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
