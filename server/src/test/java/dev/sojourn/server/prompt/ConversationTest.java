package dev.sojourn.server.prompt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sojourn.core.FaultException;
import java.util.AbstractMap;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class ConversationTest {

  @Test
  void checkResults_ofCallsBeforeThem_passes() {
    List<Map<String, ?>> earlier = List.of(calling("a"), result("a"), calling("b"));
    assertThatCode(() ->
            Conversation.checkResults(
                earlier,
                List.of(result("b"), calling("a"), result("a"), calling("c"), result("c")),
                0))
        .doesNotThrowAnyException();
  }

  @Test
  void checkResults_ofACallBehindThem_names() {
    List<Map<String, ?>> added = List.of(calling("a"), result("b"), calling("b"));
    assertThatThrownBy(() -> Conversation.checkResults(List.of(calling("c")), added, 3))
        .isInstanceOf(FaultException.class)
        .hasMessageContaining("messages[4].tool_call_id is \"b\"");
  }

  @Test
  void checkResults_ofACallThatHasItsResult_names() {
    List<Map<String, ?>> earlier = List.of(calling("a"), result("a"), calling("b"));
    assertThatThrownBy(
            () -> Conversation.checkResults(earlier, List.of(result("b"), result("a")), 3))
        .isInstanceOf(FaultException.class)
        .hasMessageContaining("messages[4].tool_call_id is \"a\"");
    assertThatThrownBy(
            () -> Conversation.checkResults(earlier, List.of(result("b"), result("b")), 3))
        .isInstanceOf(FaultException.class)
        .hasMessageContaining("messages[4].tool_call_id is \"b\"");
  }

  @Test
  void checkResults_ofManyResults_readsEachMessageOnce() {
    String[] ids = IntStream.range(0, 100).mapToObj(Integer::toString).toArray(String[]::new);
    List<Read> earlier =
        List.of(
            new Read(callingAll(Arrays.copyOf(ids, 40))),
            new Read(callingAll(Arrays.copyOfRange(ids, 40, 80))));
    List<Read> added = new ArrayList<>();
    added.add(new Read(callingAll(Arrays.copyOfRange(ids, 80, 100))));
    for (int i = 0; i < ids.length; i++) {
      added.add(new Read(result(ids[i * 37 % ids.length])));
    }
    Conversation.checkResults(new ArrayList<>(earlier), new ArrayList<>(added), 0);
    assertThat(earlier).extracting(message -> message.calls).containsOnly(1);
    assertThat(added).extracting(message -> message.calls).containsOnly(1);
  }

  @ParameterizedTest
  @CsvSource({
    "20.0, 20, 1",
    "1e3, 1000, 1",
    "[1.50], [1.5], 1",
    "0.0, -0, 1",
    "20, 21, 0",
    "9007199254740993, 9007199254740992, 0",
    "1e999, 2, 0",
    "1, '\"1\"', 0"
  })
  void equalMessages_ofNumbers_compareWhatTheyAre(String held, String sent, int same) {
    assertThat(
            Conversation.equalMessages(
                List.of(calling("a", "{\"n\": " + held + "}")),
                List.of(calling("a", "{\"n\": " + sent + "}"))))
        .isEqualTo(same);
  }

  @Test
  void equalMessages_ofAnEmptyThought_areThoseOfNone() {
    Map<String, ?> empty = Map.of("role", "assistant", "content", "low", "reasoning_content", "");
    for (String thought : List.of("hm", "")) {
      assertThat(
              Conversation.equalMessages(
                  List.of(new Answer("low", thought, List.of()).message()), List.of(empty)))
          .isEqualTo(1);
    }
    assertThat(Conversation.canonical(empty)).doesNotContainKey("reasoning_content");
  }

  private static Map<String, ?> calling(String id, String arguments) {
    return new Answer("", "", List.of(new ToolCall(id, "f", arguments))).message();
  }

  private static Map<String, ?> calling(String id) {
    return callingAll(id);
  }

  private static Map<String, ?> callingAll(String... ids) {
    return new Answer("", "", Arrays.stream(ids).map(id -> new ToolCall(id, "f", "{}")).toList())
        .message();
  }

  private static Map<String, ?> result(String id) {
    return Map.of("role", "tool", "tool_call_id", id, "content", "1");
  }

  /** A message that counts how often its calls are looked at. */
  private static final class Read extends AbstractMap<String, Object> {

    private final Map<String, ?> message;
    private int calls;

    Read(Map<String, ?> message) {
      this.message = message;
    }

    @Override
    public @Nullable Object get(@Nullable Object field) {
      calls += "tool_calls".equals(field) ? 1 : 0;
      return message.get(field);
    }

    @Override
    public Set<Entry<String, Object>> entrySet() {
      throw new UnsupportedOperationException();
    }
  }
}
