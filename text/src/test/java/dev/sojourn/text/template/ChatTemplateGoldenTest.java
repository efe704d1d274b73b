package dev.sojourn.text.template;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.time.LocalDateTime;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import tools.jackson.databind.ObjectMapper;

/**
 * Compares with what Python's jinja2 rendered, set up as transformers does it: {@code
 * scripts/goldens/template_goldens.py} made the files. Texts must be equal; where Python raised, we
 * must fail, and where the template refused, in its words.
 */
final class ChatTemplateGoldenTest {

  private static final LocalDateTime NOW = LocalDateTime.of(2026, 3, 7, 15, 4, 5);

  @TestFactory
  Stream<DynamicTest> construct_renderedLikePython() {
    Map<String, Object> goldens = read("construct_goldens.json");
    Map<String, Object> variables = map(goldens.get("variables"));
    return cases(goldens)
        .map(golden ->
            DynamicTest.dynamicTest(
                text(golden, "source"), () -> compare(golden, text(golden, "source"), variables)));
  }

  @TestFactory
  Stream<DynamicTest> conversation_renderedLikePython() {
    Map<String, Object> goldens = read("model_goldens.json");
    Map<String, Object> templates = map(goldens.get("templates"));
    Map<String, Object> conversations = map(goldens.get("conversations"));
    return cases(goldens)
        .map(golden ->
            DynamicTest.dynamicTest(
                text(golden, "template") + " " + text(golden, "conversation"),
                () ->
                    compare(
                        golden,
                        text(templates, text(golden, "template")),
                        map(conversations.get(text(golden, "conversation"))))));
  }

  private static void compare(
      Map<String, Object> golden, String source, Map<String, Object> variables) {
    String rendered;
    try {
      rendered = ChatTemplate.compile(source).render(variables, NOW);
    } catch (TemplateException e) {
      assertThat(golden).as("failed with %s", e.getMessage()).containsEntry("error", true);
      assertThat(e.refusal()).isEqualTo(golden.containsKey("refusal"));
      if (e.refusal()) {
        assertThat(e.reason()).isEqualTo(golden.get("refusal"));
      }
      assertThat(e.line()).isBetween(1, (int) source.lines().count());
      return;
    }
    assertThat(golden.get("error")).as("rendered %s", rendered).isNull();
    assertThat(rendered).isEqualTo(golden.get("text"));
  }

  private static Map<String, Object> read(String name) {
    try (InputStream file = ChatTemplateGoldenTest.class.getResourceAsStream(name)) {
      return map(new ObjectMapper().readValue(Objects.requireNonNull(file, name), Map.class));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Stream<Map<String, Object>> cases(Map<String, Object> goldens) {
    return ((List<?>) Objects.requireNonNull(goldens.get("cases")))
        .stream().map(ChatTemplateGoldenTest::map);
  }

  @SuppressWarnings("unchecked") // JSON objects have strings for keys
  private static Map<String, Object> map(@Nullable Object value) {
    return (Map<String, Object>) Objects.requireNonNull(value);
  }

  private static String text(Map<String, Object> golden, String key) {
    return (String) Objects.requireNonNull(golden.get(key), key);
  }
}
