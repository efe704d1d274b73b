package dev.sojourn.core;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** The expected values are those of Python's xxhash over the bytes that Dynamo hashes. */
class BlockHasherTest {

  private final BlockHasher hasher = new BlockHasher(BlockHasher.DEFAULT_SEED);
  private final Tokens tokens = Tokens.of(IntStream.range(0, 40).toArray());

  @Test
  void local_isXxh3OverLittleEndianIds() {
    assertThat(hasher.local(tokens, 0)).isEqualTo(0xd47a8f41c833328aL);
    assertThat(hasher.local(tokens.toArray(), 16)).isEqualTo(0xd43939178abd00dbL);
  }

  @Test
  void chain_foldsTheParentIn_andLeavesThePartialBlockOut() {
    assertThat(hasher.chain(tokens)).containsExactly(0xd47a8f41c833328aL, 0xbf15dffb16447f38L);
  }

  @Test
  void digest_withoutATail_isTheLastBlock_andEachIdOfATailCounts() {
    long last = hasher.chain(tokens)[1];
    assertThat(hasher.digest(last, Tokens.EMPTY)).isEqualTo(last);
    assertThat(
            new long[] {
              last,
              hasher.digest(last, Tokens.of(1)),
              hasher.digest(last, Tokens.of(1, 2)),
              hasher.digest(last, Tokens.of(2, 1)),
              hasher.digest(0, Tokens.of(1, 2))
            })
        .doesNotHaveDuplicates();
  }

  @Test
  void seed_ofTheDefaultNamespace_isThatOfTheEcosystem() {
    assertThat(Namespace.DEFAULT.seed()).isEqualTo(1337);
  }

  @Test
  void seed_ofAnotherTenantOrSalt_isAnother() {
    Tenant acme = new Tenant("acme");
    assertThat(new Namespace(acme, "s1").seed()).isEqualTo(0x698bda710166c855L);
    assertThat(
            new long[] {
              new Namespace(acme, "").seed(),
              new Namespace(acme, "s1").seed(),
              new Namespace(new Tenant("acmes1"), "").seed(),
              new Namespace(Tenant.DEFAULT, "s1").seed(),
              Namespace.DEFAULT.seed()
            })
        .doesNotHaveDuplicates();
  }
}
