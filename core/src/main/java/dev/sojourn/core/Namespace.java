package dev.sojourn.core;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;

import com.dynatrace.hash4j.hashing.Hashing;

/**
 * Which prompts may share KV: those of one tenant, one salt and one model adapter. It goes into the
 * seed of the hash chain, so equal text of two namespaces never has equal blocks.
 *
 * @param tenant whose tokens they are; always folded in
 * @param salt what a client adds ({@code cache_salt}), or empty
 */
public record Namespace(Tenant tenant, String salt) {

  /** The default tenant without a salt: its chains are those of the Dynamo ecosystem. */
  public static final Namespace DEFAULT = new Namespace(Tenant.DEFAULT, "");

  public Namespace {
    requireNonNull(tenant, "tenant");
    requireNonNull(salt, "salt");
  }

  /** Returns the seed of this namespace's hash chains. */
  public long seed() {
    if (equals(DEFAULT)) {
      return BlockHasher.DEFAULT_SEED;
    }
    byte[] name = tenant.name().getBytes(UTF_8);
    return Hashing.xxh3_64(BlockHasher.DEFAULT_SEED)
        .hashStream()
        .putInt(name.length)
        .putBytes(name)
        .putBytes(salt.getBytes(UTF_8))
        .getAsLong();
  }
}
