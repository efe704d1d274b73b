/** The words of the domain, as small immutable types. No I/O. */
module dev.sojourn.core {
  requires com.dynatrace.hash4j;
  requires static org.jspecify;

  exports dev.sojourn.core;
}
