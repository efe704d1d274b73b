package dev.sojourn.server.http;

import dev.sojourn.core.Fault;

/** How a protocol writes errors. Thread-safe. */
public interface Dialect {

  /** Returns the error reply to a fault, with the status that HTTP gives it. */
  Reply error(int status, Fault fault);

  /** Returns the payload of the event that ends a stream in which a fault came up. */
  byte[] errorEvent(Fault fault);

  /** Returns the status of a fault: the same in every protocol. */
  static int status(Fault fault) {
    return switch (fault) {
      case Fault.InvalidRequest _, Fault.PromptTooLong _ -> 400;
      case Fault.Unauthenticated _ -> 401;
      case Fault.Forbidden _ -> 403;
      case Fault.NotFound _ -> 404;
      case Fault.Conflict _ -> 409;
      case Fault.TooLarge _ -> 413;
      case Fault.Cancelled _ -> 499;
      case Fault.Internal _ -> 500;
      case Fault.Unavailable _ -> 503;
      case Fault.Overloaded _ -> 529;
    };
  }
}
