package dev.sojourn.engine.kv;

import static dev.sojourn.core.BlockHasher.BLOCK;

import dev.sojourn.core.Counted;
import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;

/**
 * How much a regular session may hold. Its pages are the pool's affair; this bounds the memory
 * beside them, which a tenant could otherwise fill with turns whose KV is shared.
 *
 * @param ids the most token ids of its branches and of what was cut off them
 */
record TreeLimits(long ids) {

  private static final int TURNS = 4096;

  private static final int BRANCHES = 256;

  /** How many times the tokens that a pool has room for. */
  private static final int POOLS = 16;

  static TreeLimits of(PagePool pool) {
    return new TreeLimits((long) POOLS * BLOCK * pool.capacity());
  }

  /** Refuses a turn beside so many. */
  void requireTurn(int turns) {
    if (turns >= TURNS) {
      throw refusal(TURNS + " turns, the most there may be; replace some");
    }
  }

  /** Refuses a branch beside so many. */
  void requireBranch(int branches) {
    if (branches >= BRANCHES) {
      throw refusal(
          BRANCHES
              + " branches, the most there may be; go on from the last turn of one, or replace"
              + " some");
    }
  }

  /** Refuses so many more ids beside those that it holds. */
  void requireIds(long held, long more) {
    if (held + more > ids) {
      throw refusal(
          "%s, and %d more are beyond the %d there may be; replace some turns"
              .formatted(new Counted(held, "token"), more, ids));
    }
  }

  private static FaultException refusal(String has) {
    return Fault.invalid(TurnTree.BASE, "the session has " + has).asException();
  }
}
