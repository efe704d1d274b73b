package dev.sojourn.engine.model;

import java.util.List;
import java.util.function.LongFunction;
import java.util.stream.Collectors;

/** Something does not fit into this machine's memory. The message is one line for a person. */
public final class NotEnoughMemoryException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  private NotEnoughMemoryException(String message) {
    super(message);
  }

  /**
   * What part of the memory is for.
   *
   * @param what in a word for a person
   */
  record Share(String what, long bytes) {}

  /** Throws unless all shares together are available now. */
  static void check(String what, List<Share> shares, String advice) {
    check(what, shares, _ -> advice);
  }

  /**
   * Throws unless all shares together are available now.
   *
   * @param advice what to do, by the bytes that are available
   */
  static void check(String what, List<Share> shares, LongFunction<String> advice) {
    long bytes = shares.stream().mapToLong(Share::bytes).reduce(0, Math::addExact);
    long available = AvailableMemory.now();
    if (bytes > available) {
      String parts =
          shares.stream()
              .map(share -> share.what() + " " + megabytes(share.bytes()))
              .collect(Collectors.joining(", "));
      throw new NotEnoughMemoryException(
          "%s takes %s (%s), but %s of memory are available; %s"
              .formatted(
                  what, megabytes(bytes), parts, megabytes(available), advice.apply(available)));
    }
  }

  private static String megabytes(long bytes) {
    return Math.ceilDiv(bytes, 1L << 20) + " MB";
  }
}
