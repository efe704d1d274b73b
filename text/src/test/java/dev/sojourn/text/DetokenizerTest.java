package dev.sojourn.text;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.util.Random;
import org.junit.jupiter.api.Test;

class DetokenizerTest {

  /** Id n spells byte n; 256 is a control token; the rest spell a few whole words. */
  private static final TokenBytes BYTES = table();

  @Test
  void append_halfACharacter_isHeldUntilItIsWhole() {
    Detokenizer stream = new Detokenizer(BYTES);
    assertThat(stream.append(0xF0, 1)).isEmpty();
    assertThat(stream.append(0x9F, 2)).isEmpty();
    assertThat(stream.append(0x99, 3)).isEmpty();
    assertThat(stream.append(0x82, 4)).isEqualTo("🙂");
    assertThat(stream.finish(4)).isEmpty();
  }

  @Test
  void append_bytesThatMayBeginAStopString_areHeldUntilVisible() {
    Detokenizer stream = new Detokenizer(BYTES);
    assertThat(stream.append('a', 0)).isEmpty();
    assertThat(stream.append('b', 1)).isEqualTo("a");
    assertThat(stream.append('c', 3)).isEqualTo("bc");
  }

  @Test
  void finish_visibleBytesBeforeTheEnd_cutsTheRest() {
    Detokenizer stream = new Detokenizer(BYTES);
    stream.append('a', 1);
    stream.append('S', 1);
    stream.append('T', 1);
    assertThat(stream.finish(2)).isEqualTo("S");
  }

  @Test
  void finish_characterNeverWhole_becomesReplacementCharacter() {
    Detokenizer stream = new Detokenizer(BYTES);
    assertThat(stream.append(0xE6, 1)).isEmpty();
    assertThat(stream.append(0x9D, 2)).isEmpty();
    assertThat(stream.finish(2)).isEqualTo("\uFFFD");
  }

  @Test
  void append_controlToken_spellsNothing() {
    Detokenizer stream = new Detokenizer(BYTES);
    assertThat(stream.append('a', 1)).isEqualTo("a");
    assertThat(stream.append(256, 1)).isEmpty();
    assertThat(stream.append('b', 2)).isEqualTo("b");
  }

  @Test
  void append_moreVisibleThanThereIs_isRefused() {
    Detokenizer stream = new Detokenizer(BYTES);
    assertThatThrownBy(() -> stream.append('a', 2)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void anyStream_joined_equalsDecodingAtOnce() {
    for (long seed = 0; seed < 20_000; seed++) {
      Random random = new Random(seed);
      Detokenizer stream = new Detokenizer(BYTES);
      ByteArrayOutputStream all = new ByteArrayOutputStream();
      StringBuilder joined = new StringBuilder();
      int visible = 0;
      for (int i = random.nextInt(40); i > 0; i--) {
        int id = nextId(random);
        all.writeBytes(BYTES.of(id));
        visible += random.nextInt(all.size() - visible + 1);
        String shown = stream.append(id, visible);
        joined.append(shown);
        String atOnce = new String(all.toByteArray(), 0, visible, UTF_8);
        assertThat(atOnce).as("seed %d", seed).startsWith(joined);
        assertThat(stream.pending() - (all.size() - visible)).as("seed %d", seed).isLessThan(4);
      }
      visible += random.nextInt(all.size() - visible + 1);
      joined.append(stream.finish(visible));
      assertThat(joined.toString())
          .as("seed %d", seed)
          .isEqualTo(new String(all.toByteArray(), 0, visible, UTF_8));
    }
  }

  /** Bytes that lead, continue and break characters are likelier than their share. */
  private static int nextId(Random random) {
    int[] edges = {0x41, 0x80, 0xBF, 0xC0, 0xC2, 0xE0, 0xED, 0xA0, 0x9F, 0xF0, 0x90, 0xF4, 0xF5};
    return random.nextBoolean() ? edges[random.nextInt(edges.length)] : random.nextInt(260);
  }

  private static TokenBytes table() {
    byte[][] bytes = new byte[260][];
    boolean[] special = new boolean[260];
    for (int b = 0; b < 256; b++) {
      bytes[b] = new byte[] {(byte) b};
    }
    bytes[256] = "<|im_end|>".getBytes(UTF_8);
    special[256] = true;
    bytes[257] = " größer".getBytes(UTF_8);
    bytes[258] = "🙂".getBytes(UTF_8);
    bytes[259] = new byte[] {'x', (byte) 0xE6, (byte) 0x9D};
    return new TokenBytes(bytes, special);
  }
}
