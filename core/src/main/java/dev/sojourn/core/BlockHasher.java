package dev.sojourn.core;

import com.dynatrace.hash4j.hashing.Hasher64;
import com.dynatrace.hash4j.hashing.Hashing;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Names blocks of {@value #BLOCK} tokens, for the engine's pages and the router's index alike.
 *
 * <p>A block's local hash is XXH3-64 over its ids as little-endian u32. Its chained hash is the
 * local hash for the first block of a prompt, and for each later one XXH3-64 over the parent's
 * chained hash and the local hash, both little-endian; so it names the block and all before it.
 * This is Dynamo's chain: with {@link #DEFAULT_SEED} dumps and traces of that ecosystem can be
 * read.
 *
 * <p>Not thread-safe: it reuses a buffer. One per thread and namespace costs nothing.
 */
public final class BlockHasher {

  /** Tokens in a block, and in a KV page. */
  public static final int BLOCK = 16;

  /** The seed of a chain without a namespace. */
  public static final long DEFAULT_SEED = 1337;

  private static final VarHandle INTS =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);

  private final Hasher64 xxh3;
  private final byte[] bytes = new byte[BLOCK * Integer.BYTES];

  /** Creates a hasher for chains with this seed; see {@link Namespace#seed}. */
  public BlockHasher(long seed) {
    xxh3 = Hashing.xxh3_64(seed);
  }

  /** Returns the local hash of the {@value #BLOCK} ids from {@code from} on. */
  public long local(Tokens tokens, int from) {
    for (int i = 0; i < BLOCK; i++) {
      INTS.set(bytes, i * Integer.BYTES, tokens.get(from + i));
    }
    return xxh3.hashBytesToLong(bytes);
  }

  /** Returns the local hash of the {@value #BLOCK} ids from {@code from} on. */
  public long local(int[] tokens, int from) {
    for (int i = 0; i < BLOCK; i++) {
      INTS.set(bytes, i * Integer.BYTES, tokens[from + i]);
    }
    return xxh3.hashBytesToLong(bytes);
  }

  /** Returns the chained hash of a block whose parent has chained hash {@code parent}. */
  public long chain(long parent, long local) {
    return xxh3.hashLongLongToLong(parent, local);
  }

  /** Returns the chained hashes of all full blocks of {@code tokens}. */
  public long[] chain(Tokens tokens) {
    long[] chained = new long[tokens.length() / BLOCK];
    for (int block = 0; block < chained.length; block++) {
      long local = local(tokens, block * BLOCK);
      chained[block] = block == 0 ? local : chain(chained[block - 1], local);
    }
    return chained;
  }

  /**
   * Returns the digest of a context: the chained hash of its last full block, folded with each id
   * after that block. Two contexts of one namespace with equal digests are taken for equal.
   *
   * @param lastBlock the chained hash of the last full block; 0 without one
   * @param tail the ids after it
   */
  public long digest(long lastBlock, Tokens tail) {
    long digest = lastBlock;
    for (int i = 0; i < tail.length(); i++) {
      digest = xxh3.hashLongLongToLong(digest, tail.get(i));
    }
    return digest;
  }
}
