package dev.sojourn.bench;

/** A gateway refused, or could not be reached. The message is the gateway's own where it spoke. */
public final class GatewayException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  private final int status;

  /**
   * Creates an exception.
   *
   * @param status the HTTP status; 0 where no answer came
   * @param message what went wrong
   */
  public GatewayException(int status, String message) {
    super(message);
    this.status = status;
  }

  /** Returns the HTTP status, or 0 where no answer came. */
  public int status() {
    return status;
  }
}
