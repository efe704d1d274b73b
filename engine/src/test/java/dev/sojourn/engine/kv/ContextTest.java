package dev.sojourn.engine.kv;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.BlockHasher;
import dev.sojourn.core.KvEvent;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.Tenant;
import dev.sojourn.core.TokenBuffer;
import dev.sojourn.core.Tokens;
import dev.sojourn.engine.EvictionPolicy;
import dev.sojourn.engine.TokenEchoRunner;
import dev.sojourn.engine.model.StepBatch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ContextTest {

  private static final long SEED = 5;

  private final TokenEchoRunner runner = new TokenEchoRunner(8, 1000, 16);
  private final PagePool pool = new PagePool(runner, 16, EvictionPolicy.LRU);
  private final Publisher publisher = new Publisher(new SessionId(Tenant.DEFAULT, "s"));

  @Test
  void fullPage_sameAsAResidentOne_isAdoptedAndFreed() {
    Context first = computed(ids(0, 32), publisher);
    Context second = new Context(pool, SEED, null);
    second.begin();
    second.append(ids(0, 32));
    assertThat(second.reserve(32)).isTrue(); // its own pages, as in one step with the first
    second.advance(32);
    assertThat(pool.count(PageState.IN_USE)).isEqualTo(2);
    assertThat(second.page(0)).isEqualTo(first.page(0));
    assertThat(second.page(1)).isEqualTo(first.page(1));
  }

  @Test
  void hashCollision_keepsThePageAndAllAfterItPrivate() {
    // An impostor stands under the hash of what comes.
    long hash = new BlockHasher(SEED).local(ids(0, 16), 0);
    TokenBuffer others = new TokenBuffer(16);
    others.append(ids(100, 16));
    int impostor = pool.allocate();
    assertThat(pool.publish(impostor, PagePool.NONE, hash, SEED, others, 0, null))
        .isEqualTo(impostor);
    pool.unuse(impostor);

    Context context = computed(ids(0, 40), publisher);
    assertThat(context.publishedPages()).isZero();
    assertThat(context.page(0)).isNotEqualTo(impostor);
    context.end(40, 0, Context.WHILE_LEASED);
    assertThat(context.computed()).isEqualTo(40);
    assertThat(pool.count(PageState.LEASED)).isEqualTo(3);

    // It goes on where it was, and cuts into its private pages without a copy.
    context.begin();
    context.append(ids(40, 8));
    context.match();
    assertThat(context.computed()).isEqualTo(40);
    context.truncate(20);
    assertThat(context.computed()).isEqualTo(20);
    context.end(20, 0, Context.WHILE_LEASED);
    assertThat(context.release()).isEqualTo(20);
    assertThat(pool.count(PageState.FREE)).isEqualTo(15);
  }

  @Test
  void equalTokens_ofTwoNamespaces_shareNothing() {
    computed(ids(0, 32), publisher);
    Context other = new Context(pool, SEED + 1, null);
    other.begin();
    other.append(ids(0, 33));
    other.match();
    assertThat(other.computed()).isZero();
  }

  @Test
  void freePagesOf_keepsWhatOthersMatchedOrContinued() {
    Context context = computed(ids(0, 80), publisher);
    context.end(80, 0, Context.WHILE_LEASED);
    // Another request matches the first page, and one continues the third.
    Context reader = new Context(pool, SEED, null);
    reader.begin();
    reader.append(ids(0, 17));
    reader.match();
    reader.end(0, 0, 0);
    Context other = new Context(pool, SEED, null);
    other.begin();
    other.append(ids(0, 48).concat(ids(200, 16)));
    assertThat(other.reserve(64)).isTrue();
    other.advance(64);
    other.end(0, 0, 0);

    context.release();
    pool.freePagesOf(publisher);
    // Adopting is matching: pages 0 to 2 are other people's too; 3 and 4 were the session's own.
    assertThat(pool.count(PageState.CACHED)).isEqualTo(4);
    assertThat(pool.count(PageState.FREE)).isEqualTo(12);
  }

  @Test
  void freePagesOf_freesTailsThatWereDropped() {
    Context context = computed(ids(0, 80), publisher);
    context.end(20, 0, Context.WHILE_LEASED);
    assertThat(pool.count(PageState.CACHED)).isEqualTo(4); // the seam page and three behind it
    context.release();
    pool.freePagesOf(publisher);
    assertThat(pool.count(PageState.FREE)).isEqualTo(16);
  }

  @Test
  void fork_ofPrivatePages_sharesNoneOfThem() {
    long hash = new BlockHasher(SEED).local(ids(0, 16), 0);
    TokenBuffer others = new TokenBuffer(16);
    others.append(ids(100, 16));
    int impostor = pool.allocate();
    pool.publish(impostor, PagePool.NONE, hash, SEED, others, 0, null);
    pool.unuse(impostor);
    Context context = computed(ids(0, 40), publisher);
    context.end(40, 0, Context.WHILE_LEASED);

    Context fork = context.fork(40, new Publisher(new SessionId(Tenant.DEFAULT, "child")));
    assertThat(fork.length()).isEqualTo(40);
    assertThat(fork.digest(40)).isEqualTo(context.digest(40));
    assertThat(fork.computed()).isZero();
    assertThat(context.computed()).isEqualTo(40);
  }

  @Test
  void touchedTail_keepsThePagesBehindItUsedAsLate() {
    Context touched = computed(ids(0, 64), publisher);
    touched.end(64, 0, Context.WHILE_LEASED);
    for (int i = 0; i < 3; i++) {
      computed(ids(100 * i + 100, 64), publisher).end(64, 0, Context.WHILE_LEASED);
    }
    touched.touch();
    for (int taken = 1; taken <= 15; taken++) {
      assertThat(pool.allocate()).isNotEqualTo(PagePool.NONE);
      assertThat(touched.computed())
          .as("after %d pages", taken)
          .isEqualTo(Math.min(64, 16 * (16 - taken)));
    }
  }

  @Test
  void seamPage_atEveryOffset_isCopied_orForgottenWithoutAPage() {
    for (int offset = 1; offset < 16; offset++) {
      for (boolean reader : new boolean[] {false, true}) {
        for (int spare = 0; spare < 2; spare++) {
          PagePool pool = new PagePool(runner, 16, EvictionPolicy.LRU);
          Context context = computed(pool, ids(0, 16 + offset), publisher);
          context.end(16 + offset, 0, Context.WHILE_LEASED);
          context.begin();
          context.append(ids(16 + offset, 48 - offset));
          compute(context); // fills and publishes the seam page and two more
          if (reader) {
            Context other = new Context(pool, SEED, null);
            other.begin();
            other.append(ids(0, 65));
            other.match();
            assertThat(other.computed()).isEqualTo(64);
          }
          for (int page = 4 + spare; page < 16; page++) {
            assertThat(pool.allocate()).isNotEqualTo(PagePool.NONE);
          }
          context.end(16 + offset, 0, Context.WHILE_LEASED);
          // Without a reader the pages behind the seam page are free for the copy.
          boolean canCopy = !reader || spare == 1;
          assertThat(context.length()).isEqualTo(16 + offset);
          assertThat(context.computed())
              .as("offset %d, reader %s, spare %d", offset, reader, spare)
              .isEqualTo(canCopy ? 16 + offset : 16);
        }
      }
    }
  }

  @Test
  void eviction_takesTailsFirst_andTheContextSeesWhatIsLeft() {
    Context context = computed(ids(0, 72), publisher);
    context.end(72, 0, Context.WHILE_LEASED);
    for (int taken = 0; taken <= 11 + 5; taken++) {
      int expected = taken <= 11 ? 72 : 80 - 16 * (taken - 11);
      assertThat(context.computed()).as("after %d pages", taken).isEqualTo(expected);
      if (taken < 16) {
        assertThat(pool.allocate()).isNotEqualTo(PagePool.NONE);
      }
    }
    assertThat(pool.allocate()).isEqualTo(PagePool.NONE);
  }

  @Test
  void subscriber_whoComesLate_isToldParentsFirst() {
    computed(ids(0, 48), publisher).end(0, 0, 0);
    List<Long> told = new ArrayList<>();
    pool.subscribe(event -> {
      KvEvent.Stored stored = (KvEvent.Stored) event;
      assertThat(stored.parent().isEmpty() || told.contains(stored.parent().getAsLong())).isTrue();
      assertThat(stored.session()).contains(publisher.session());
      told.add(stored.hash());
    });
    assertThat(told).containsExactly(box(new BlockHasher(SEED).chain(ids(0, 48))));
  }

  @Test
  void subscriber_whoThrows_isDropped() {
    List<KvEvent> told = new ArrayList<>();
    pool.subscribe(event -> {
      throw new IllegalStateException("told to fail");
    });
    pool.subscribe(told::add);
    computed(ids(0, 32), publisher);
    assertThat(told).hasSize(2);
  }

  private Context computed(Tokens ids, Publisher by) {
    return computed(pool, ids, by);
  }

  private Context computed(PagePool pool, Tokens ids, Publisher by) {
    Context context = new Context(pool, SEED, by);
    context.begin();
    context.append(ids);
    compute(context);
    return context;
  }

  private void compute(Context context) {
    StepBatch batch = new StepBatch(8);
    int count = context.length() - context.computed();
    assertThat(context.reserve(context.length())).isTrue();
    context.addTo(batch, count);
    runner.run(batch);
    context.advance(count);
  }

  private static Tokens ids(int from, int count) {
    return Tokens.of(IntStream.range(from, from + count).toArray());
  }

  private static Long[] box(long[] values) {
    return Arrays.stream(values).boxed().toArray(Long[]::new);
  }
}
