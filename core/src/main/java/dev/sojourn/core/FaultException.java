package dev.sojourn.core;

/** Carries a {@link Fault} up to the protocol's edge. */
public final class FaultException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  private final transient Fault fault;

  /** Creates an exception whose message is the fault's. */
  public FaultException(Fault fault) {
    super(fault.message());
    this.fault = fault;
  }

  /** Creates an exception for a fault that another exception brought to light. */
  public FaultException(Fault fault, Throwable cause) {
    super(fault.message(), cause);
    this.fault = fault;
  }

  /** Returns what went wrong. */
  public Fault fault() {
    return fault;
  }
}
