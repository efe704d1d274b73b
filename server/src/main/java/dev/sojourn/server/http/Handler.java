package dev.sojourn.server.http;

/**
 * Answers requests of one route, in blocking style. It is called on a virtual thread of the
 * exchange's own, which is interrupted when the client hangs up and when the server gives up
 * waiting at shutdown.
 */
@FunctionalInterface
public interface Handler {

  /**
   * Answers one request. What it throws becomes the error reply, or, once an event stream has
   * begun, an error event at its end: a {@link dev.sojourn.core.FaultException} as its fault,
   * anything else as an internal error.
   */
  void handle(Exchange exchange) throws Exception;
}
