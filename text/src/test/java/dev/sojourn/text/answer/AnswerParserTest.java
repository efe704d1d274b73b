package dev.sojourn.text.answer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.text.answer.AnswerStyle.Calls;
import dev.sojourn.text.answer.AnswerStyle.Reasoning;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class AnswerParserTest {

  private static final AnswerStyle HERMES = new AnswerStyle(Reasoning.THINK, Calls.HERMES, true);
  private static final AnswerStyle LLAMA3 =
      new AnswerStyle(Reasoning.NONE, Calls.LLAMA3_JSON, true);

  private static final String[] FRAGMENTS = {
    "<think>",
    "</think>",
    "\n",
    "\n\n",
    " ",
    "<tool_call>",
    "\n</tool_call>",
    "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": [1, \"}\\\"\"]}}\n</tool_call>",
    "{\"name\": \"f\", \"parameters\": {\"a\": {\"b\": \"<tool_call>\"}}}",
    "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \"<think>",
    "\"}}</tool_call>",
    "{\"name\": \"f\", \"parameters\": {\"a\": \"b<think>",
    "\"}}",
    "{\"parameters\": {}, \"name\": \"g\"}",
    "{\"name\": \"f\"",
    "; ",
    "<|python_tag|>",
    "<",
    "}",
    "{",
    "\"name\"",
    "word",
    "ä🙂"
  };

  private static final String NAMED = "<tool_call>\n{\"name\": \"f\", \"arguments\":";

  @Test
  void begunCall_thatGoesOn_isToldWhole() {
    AnswerParser named = HERMES.parserBehind("a", NAMED, Optional.of("f"));
    assertThat(parse(named, List.of(" {\"a\"", ": 1}}\n</tool_call>")))
        .isEqualTo(
            parse(HERMES.parser("a", true, false), List.of(NAMED + " {\"a\": 1}}\n</tool_call>")));
    AnswerParser required = LLAMA3.parserBehind("a", "{\"name\": \"", Optional.empty());
    assertThat(parse(required, List.of("f\", \"parameters\": {}}")))
        .isEqualTo(
            parse(
                LLAMA3.parser("a", true, false), List.of("{\"name\": \"f\", \"parameters\": {}}")));
  }

  @Test
  void begunCall_thatEndsAtOnce_isNoTextThatTheModelNeverSaid() {
    AnswerParser named = HERMES.parserBehind("a", NAMED, Optional.of("f"));
    assertThat(parse(named, List.of()))
        .containsExactly(new Part.CallBegin(0, CallId.of("a", 0), "f"), new Part.CallEnd(0));
    for (AnswerStyle style : List.of(HERMES, LLAMA3)) {
      String begun = style.equals(HERMES) ? "<tool_call>\n{\"name\": \"" : "{\"name\": \"";
      assertThat(parse(style.parserBehind("a", begun, Optional.empty()), List.of())).isEmpty();
      assertThat(parse(style.parserBehind("a", begun, Optional.empty()), List.of("we", "a")))
          .containsExactly(new Part.Text("wea"));
    }
  }

  @Test
  void begunCall_thatTheModelTurnsDown_tellsItsWords() {
    AnswerParser named = HERMES.parserBehind("a", NAMED, Optional.of("f"));
    assertThat(parse(named, List.of(" n", "o.")))
        .containsExactly(
            new Part.Text(" no."),
            new Part.CallBegin(0, CallId.of("a", 0), "f"),
            new Part.CallEnd(0));
    AnswerParser required =
        HERMES.parserBehind("a", "<tool_call>\n{\"name\": \"", Optional.empty());
    String other = "<tool_call>{\"name\": \"g\", \"arguments\": {}}</tool_call>";
    assertThat(parse(required, List.of("\n", other)))
        .startsWith(new Part.CallBegin(0, CallId.of("a", 0), "g"));
  }

  @ParameterizedTest
  @EnumSource
  void anySplitOfAnAnswer_givesThePartsOfTheWhole(Calls calls) {
    Random random = new Random(11);
    for (int i = 0; i < 4000; i++) {
      StringBuilder text = new StringBuilder();
      for (int n = random.nextInt(1, 9); n > 0; n--) {
        text.append(FRAGMENTS[random.nextInt(FRAGMENTS.length)]);
      }
      boolean begun = random.nextBoolean();
      boolean several = random.nextBoolean();
      for (Reasoning reasoning : Reasoning.values()) {
        AnswerStyle style = new AnswerStyle(reasoning, calls, several);
        List<Part> whole = parse(style.parser("a", true, begun), List.of(text.toString()));
        List<Part> split = parse(style.parser("a", true, begun), cut(text.toString(), random));
        assertThat(split).as("%s of <%s>", style, text).isEqualTo(whole);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "<tool_call>",
        "a\n<tool_call>\n{\"name\": 3, \"arguments\": {}}\n</tool_call>\n",
        "\n\n<tool_call>{\"name\": \"f\", \"arguments\": \"x\"}</tool_call> b",
        "<tool_call><tool_call>{}</tool_call>",
        "<tool_call>\n{\"arguments\": {}}\n</tool_call>",
        "<tool_call>{\"name\": \"f\", \"name\": \"g\"}",
        "<tool_call>{\"name\": \"\\x\", \"arguments\": {}}",
        "<tool_call>{\"name\": \"f\", \"x\": [}]",
        "</tool_call>",
        "\n",
        "a\n\n",
        "{\"name\": \"f\", \"arguments\": {}}"
      })
  void hermes_whatIsNoCall_isTheTextThatItIs(String text) {
    assertThat(hermes(text)).containsExactly(new Part.Text(text));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{",
        " {\"answer\": 42}",
        "{\"name\": \"Bob\", \"age\": 7}",
        "words {\"name\": \"f\", \"parameters\": {}}",
        "<|python_tag|>brave.call(query=\"x\")",
        "{\"a\": 1} {\"name\": \"f\", \"parameters\": {}}",
        "[{\"name\": \"f\", \"parameters\": {}}]",
        "  "
      })
  void llama3_whatIsNoCall_isTheTextThatItIs(String text) {
    assertThat(llama3(text)).containsExactly(new Part.Text(text));
  }

  @Test
  void hermes_callsAmongText_areToldInOrder() {
    String text =
        """
        <think>
        Let me
        see.
        </think>

        Both:
        <tool_call>
        {"name": "f", "arguments": {"city": "Zürich", "n": [1, 2]}}
        </tool_call>
        <tool_call>
        {"arguments": {"s": "}\\""}, "id": 7, "name": "g"}
        </tool_call>
        """;
    assertThat(hermes(text))
        .containsExactly(
            new Part.Reasoning("Let me\nsee."),
            new Part.Text("Both:"),
            new Part.CallBegin(0, CallId.of("a", 0), "f"),
            new Part.CallArguments(0, "{\"city\": \"Zürich\", \"n\": [1, 2]}"),
            new Part.CallEnd(0),
            new Part.CallBegin(1, CallId.of("a", 1), "g"),
            new Part.CallArguments(1, "{\"s\": \"}\\\"\"}"),
            new Part.CallEnd(1));
  }

  @Test
  void hermes_textBehindACall_isKept() {
    assertThat(hermes("a\n<tool_call>{\"name\": \"f\"}</tool_call>\nb\n"))
        .containsExactly(
            new Part.Text("a"),
            new Part.CallBegin(0, CallId.of("a", 0), "f"),
            new Part.CallArguments(0, "{}"),
            new Part.CallEnd(0),
            new Part.Text("\nb"));
  }

  @Test
  void hermes_argumentsAreTold_whileTheyCome() {
    AnswerParser parser = HERMES.parser("a", true, false);
    assertThat(parser.append("<tool_call>{\"name\": \"f\", \"arguments\":")).isEmpty();
    assertThat(parser.append(" {\"a\": \"b"))
        .containsExactly(
            new Part.CallBegin(0, CallId.of("a", 0), "f"),
            new Part.CallArguments(0, "{\"a\": \"b"));
    assertThat(parser.append("c")).containsExactly(new Part.CallArguments(0, "c"));
    assertThat(parser.end()).isEmpty();
  }

  @Test
  void hermes_callThatBreaksOffInItsArguments_endsThere() {
    assertThat(hermes("<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1]} b"))
        .containsExactly(
            new Part.CallBegin(0, CallId.of("a", 0), "f"),
            new Part.CallArguments(0, "{\"a\": 1"),
            new Part.CallEnd(0),
            new Part.Text("]} b"));
  }

  @Test
  void hermes_withoutTools_findsNoCalls() {
    String text = "<tool_call>{\"name\": \"f\"}</tool_call>";
    assertThat(parse(HERMES.parser("a", false, false), List.of(text)))
        .containsExactly(new Part.Text(text));
  }

  @Test
  void llama3_oneCallOrSeveral_areTold() {
    assertThat(llama3("{\"name\": \"f\", \"parameters\": {\"a\": \"b\"}}"))
        .containsExactly(
            new Part.CallBegin(0, CallId.of("a", 0), "f"),
            new Part.CallArguments(0, "{\"a\": \"b\"}"),
            new Part.CallEnd(0));
    assertThat(
            llama3(
                "<|python_tag|>{\"type\": \"function\", \"name\": \"f\", \"parameters\": {}};"
                    + " {\"name\": \"g\", \"parameters\": {}}"))
        .containsExactly(
            new Part.CallBegin(0, CallId.of("a", 0), "f"),
            new Part.CallArguments(0, "{}"),
            new Part.CallEnd(0),
            new Part.CallBegin(1, CallId.of("a", 1), "g"),
            new Part.CallArguments(1, "{}"),
            new Part.CallEnd(1));
  }

  @Test
  void secondCall_whereOneIsAllThatMayBe_isText() {
    String json = "{\"name\": \"f\", \"parameters\": {}}";
    assertThat(
            parse(
                new AnswerStyle(Reasoning.NONE, Calls.LLAMA3_JSON, false).parser("a", true, false),
                List.of(json + "; " + json)))
        .containsExactly(
            new Part.CallBegin(0, CallId.of("a", 0), "f"),
            new Part.CallArguments(0, "{}"),
            new Part.CallEnd(0),
            new Part.Text("; " + json));
    String marked = "<tool_call>{\"name\": \"f\"}</tool_call>";
    assertThat(
            parse(
                new AnswerStyle(Reasoning.NONE, Calls.HERMES, false).parser("a", true, false),
                List.of(marked + "\n" + marked)))
        .containsExactly(
            new Part.CallBegin(0, CallId.of("a", 0), "f"),
            new Part.CallArguments(0, "{}"),
            new Part.CallEnd(0),
            new Part.Text(marked));
  }

  @Test
  void llama3_longObjectWithoutAName_isNotWaitedFor() {
    AnswerParser parser = LLAMA3.parser("a", true, false);
    String begun = "{\"text\": \"" + "x".repeat(300);
    assertThat(parser.append(begun)).containsExactly(new Part.Text(begun));
  }

  @Test
  void think_inTheMiddleOrUnclosed_isReasoning() {
    assertThat(hermes("a <think>b</think> c"))
        .containsExactly(new Part.Text("a "), new Part.Reasoning("b"), new Part.Text(" c"));
    assertThat(hermes("\n<think>\nb\n")).containsExactly(new Part.Reasoning("b\n"));
    assertThat(hermes("<think>\n\n</think>\n\nc")).containsExactly(new Part.Text("c"));
    assertThat(hermes("<think>a<think>b</think>c"))
        .containsExactly(new Part.Reasoning("a<think>b"), new Part.Text("c"));
  }

  @Test
  void think_endWithoutABeginning_isReasoningOnlyWhereThePromptBeganIt() {
    String text = "a\n</think>\n\nb";
    assertThat(hermes(text)).containsExactly(new Part.Text(text));
    assertThat(parse(HERMES.parser("a", true, true), List.of(text)))
        .containsExactly(new Part.Reasoning("a"), new Part.Text("b"));
  }

  @Test
  void think_aCallWithinAThought_isNoCall() {
    String call = "<tool_call>{\"name\": \"f\"}</tool_call>";
    assertThat(hermes("<think>" + call)).containsExactly(new Part.Reasoning(call));
  }

  @ParameterizedTest
  @ValueSource(strings = {"a <think>x</think> b", "<think>", "<think>\\n\\n", "\\\"<think>\\\""})
  void think_inAStringOfACall_isTheArgumentThatItIs(String value) {
    String arguments = "{\"text\": \"" + value + "\"}";
    List<Part> call =
        List.of(
            new Part.CallBegin(0, CallId.of("a", 0), "f"),
            new Part.CallArguments(0, arguments),
            new Part.CallEnd(0));
    assertThat(hermes("<tool_call>{\"name\": \"f\", \"arguments\": " + arguments + "}</tool_call>"))
        .isEqualTo(call);
    AnswerStyle thinking = new AnswerStyle(Reasoning.THINK, Calls.LLAMA3_JSON, true);
    String json = "{\"name\": \"f\", \"parameters\": " + arguments + "}";
    assertThat(parse(thinking.parser("a", true, false), List.of(json))).isEqualTo(call);
  }

  @Test
  void think_behindACall_isReasoning() {
    assertThat(hermes("<tool_call>{\"name\": \"f\"}</tool_call><think>b</think>c"))
        .endsWith(new Part.CallEnd(0), new Part.Reasoning("b"), new Part.Text("c"));
  }

  private static List<Part> hermes(String text) {
    return parse(HERMES.parser("a", true, false), List.of(text));
  }

  private static List<Part> llama3(String text) {
    return parse(LLAMA3.parser("a", true, false), List.of(text));
  }

  /** Returns an answer's parts, neighbours of one kind joined. */
  private static List<Part> parse(AnswerParser parser, List<String> pieces) {
    List<Part> parts = new ArrayList<>();
    for (String piece : pieces) {
      parser.append(piece).forEach(part -> join(parts, part));
    }
    parser.end().forEach(part -> join(parts, part));
    return parts;
  }

  private static void join(List<Part> parts, Part part) {
    Optional<Part> joined = parts.isEmpty() ? Optional.empty() : joined(parts.getLast(), part);
    if (joined.isPresent()) {
      parts.removeLast();
    }
    parts.add(joined.orElse(part));
  }

  private static Optional<Part> joined(Part last, Part next) {
    if (last instanceof Part.Text(String text) && next instanceof Part.Text(String more)) {
      return Optional.of(new Part.Text(text + more));
    }
    if (last instanceof Part.Reasoning(String text)
        && next instanceof Part.Reasoning(String more)) {
      return Optional.of(new Part.Reasoning(text + more));
    }
    if (last instanceof Part.CallArguments(int index, String json)
        && next instanceof Part.CallArguments(int same, String more)
        && same == index) {
      return Optional.of(new Part.CallArguments(index, json + more));
    }
    return Optional.empty();
  }

  private static List<String> cut(String text, Random random) {
    List<String> pieces = new ArrayList<>();
    int at = 0;
    while (at < text.length()) {
      int end = Math.min(text.length(), at + random.nextInt(1, 5));
      pieces.add(text.substring(at, end));
      at = end;
    }
    return pieces;
  }
}
