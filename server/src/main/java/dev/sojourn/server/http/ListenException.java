package dev.sojourn.server.http;

import java.io.IOException;

/** The server cannot listen where it was told to; the message says where and why. */
public final class ListenException extends IOException {

  private static final long serialVersionUID = 1L;

  ListenException(String message, Throwable cause) {
    super(message, cause);
  }
}
