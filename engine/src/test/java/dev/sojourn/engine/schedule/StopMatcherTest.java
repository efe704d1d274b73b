package dev.sojourn.engine.schedule;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class StopMatcherTest {

  @Test
  void partOfAStopString_isHeldBack_untilItIsNone() {
    StopMatcher matcher = new StopMatcher(List.of("stop"));
    assertThat(append(matcher, "we st")).isFalse();
    assertThat(matcher.visibleBytes()).isEqualTo(3);
    assertThat(append(matcher, "o")).isFalse();
    assertThat(matcher.visibleBytes()).isEqualTo(3);
    assertThat(append(matcher, "re")).isFalse();
    assertThat(matcher.visibleBytes()).isEqualTo(8);
  }

  @Test
  void stopStringAcrossTokens_isCutOff_withTheTokensThatSpellIt() {
    StopMatcher matcher = new StopMatcher(List.of("stop"));
    append(matcher, "yes");
    append(matcher, " s");
    append(matcher, "to");
    assertThat(append(matcher, "p it")).isTrue();
    assertThat(matcher.found()).contains("stop");
    assertThat(matcher.visibleBytes()).isEqualTo(4);
    assertThat(matcher.visibleTokens()).isEqualTo(1); // " s" is not wholly visible
  }

  @Test
  void twoStopStringsThatEndTogether_theLongerIsCutOff() {
    StopMatcher matcher = new StopMatcher(List.of("b", "ab"));
    assertThat(append(matcher, "xab")).isTrue();
    assertThat(matcher.found()).contains("ab");
    assertThat(matcher.visibleBytes()).isEqualTo(1);
  }

  @Test
  void beginningOfAStopString_atTheEnd_isShown() {
    StopMatcher matcher = new StopMatcher(List.of("ab"));
    append(matcher, "xa");
    assertThat(matcher.visibleBytes()).isEqualTo(1);
    matcher.end();
    assertThat(matcher.visibleBytes()).isEqualTo(2);
    assertThat(matcher.visibleTokens()).isEqualTo(1);
  }

  @Test
  void randomOutputs_agreeWithSearchingTheWholeText() {
    for (long seed = 0; seed < 3000; seed++) {
      Random random = new Random(seed);
      List<String> stops = new ArrayList<>();
      for (int i = 0; i <= random.nextInt(3); i++) {
        stops.add(word(random, 1 + random.nextInt(5)));
      }
      StopMatcher matcher = new StopMatcher(stops);
      StringBuilder text = new StringBuilder();
      boolean found = false;
      for (int token = 0; token < 12 && !found; token++) {
        String word = word(random, random.nextInt(4));
        for (int i = 0; i < word.length() && !found; i++) {
          text.append(word.charAt(i));
          found = stops.stream().anyMatch(stop -> text.toString().endsWith(stop));
        }
        assertThat(append(matcher, word)).as("seed %d", seed).isEqualTo(found);
        int longest = 0;
        for (String stop : stops) {
          for (int length = 1; length <= stop.length(); length++) {
            boolean counts = !found || length == stop.length();
            if (counts && text.toString().endsWith(stop.substring(0, length))) {
              longest = Math.max(longest, length);
            }
          }
        }
        assertThat(matcher.visibleBytes())
            .as("seed %d, stops %s, text %s", seed, stops, text)
            .isEqualTo(text.length() - longest);
      }
    }
  }

  private static String word(Random random, int length) {
    StringBuilder word = new StringBuilder();
    for (int i = 0; i < length; i++) {
      word.append((char) ('a' + random.nextInt(2)));
    }
    return word.toString();
  }

  private static boolean append(StopMatcher matcher, String token) {
    return matcher.append(token.getBytes(UTF_8));
  }
}
