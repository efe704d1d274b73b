package dev.sojourn.router;

import dev.sojourn.core.BlockHasher;
import dev.sojourn.core.Namespace;
import dev.sojourn.core.Tokens;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * What a rank is chosen for: a prompt, as far as the choice depends on it. Its blocks are hashed
 * when they are first needed, which is not the case where a session stays on its rank. Not
 * thread-safe.
 */
public final class SelectionQuery {

  private final Namespace namespace;
  private final Supplier<Tokens> context;
  private final int promptTokens;
  private final int knownTokens;
  private final int expectedOutput;
  private long @Nullable [] blocks;

  private SelectionQuery(
      Namespace namespace,
      Supplier<Tokens> context,
      int promptTokens,
      int knownTokens,
      int expectedOutput,
      long @Nullable [] blocks) {
    if (knownTokens < 0 || knownTokens > promptTokens || expectedOutput < 0) {
      throw new IllegalArgumentException(
          "0 <= known <= prompt and 0 <= expected do not hold for "
              + knownTokens
              + ", "
              + promptTokens
              + ", "
              + expectedOutput);
    }
    this.namespace = namespace;
    this.context = context;
    this.promptTokens = promptTokens;
    this.knownTokens = knownTokens;
    this.expectedOutput = expectedOutput;
    this.blocks = blocks;
  }

  /**
   * Asks for a prompt given as tokens.
   *
   * @param namespace whose KV it may share
   * @param context gives its whole context; asked for only where the choice depends on it
   * @param promptTokens the length of the context
   * @param knownTokens how many of the leading tokens the turn's session has committed; taken as
   *     resident where the session lives
   * @param expectedOutput how many tokens will be sampled, as far as anybody knows
   */
  public static SelectionQuery ofTokens(
      Namespace namespace,
      Supplier<Tokens> context,
      int promptTokens,
      int knownTokens,
      int expectedOutput) {
    return new SelectionQuery(namespace, context, promptTokens, knownTokens, expectedOutput, null);
  }

  /**
   * Asks for a prompt given as chained hashes of its full blocks. The array is not copied.
   *
   * @param blocks see {@link BlockHasher#chain(Tokens)}
   * @param promptTokens the length of the prompt
   * @param expectedOutput how many tokens will be sampled, as far as anybody knows
   */
  public static SelectionQuery ofBlocks(long[] blocks, int promptTokens, int expectedOutput) {
    return new SelectionQuery(
        Namespace.DEFAULT, () -> Tokens.EMPTY, promptTokens, 0, expectedOutput, blocks);
  }

  int promptTokens() {
    return promptTokens;
  }

  int knownTokens() {
    return knownTokens;
  }

  int expectedOutput() {
    return expectedOutput;
  }

  long[] blocks() {
    long[] hashed = blocks;
    if (hashed == null) {
      hashed = new BlockHasher(namespace.seed()).chain(context.get());
      blocks = hashed;
    }
    return hashed;
  }
}
