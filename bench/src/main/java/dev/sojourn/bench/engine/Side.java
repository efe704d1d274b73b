package dev.sojourn.bench.engine;

import java.util.List;

/**
 * An engine to measure: how to start a process that answers as {@link SideProcess} asks.
 *
 * @param name what tables call it
 * @param command of the process
 * @param computesContexts whether a context must be computed before it can be decoded from, which
 *     takes as long as a prompt of its length; otherwise the side makes one up
 */
public record Side(String name, List<String> command, boolean computesContexts) {

  public Side {
    command = List.copyOf(command);
  }
}
