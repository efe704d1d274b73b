package dev.sojourn.text.template;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.LocalDateTime;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * Compares with what Python's jinja2 rendered, set up as transformers does it. Texts must be equal;
 * where Python raised, we must fail, and where the template refused, in its words.
 */
final class ChatTemplateGoldenTest {

  private static final LocalDateTime NOW = LocalDateTime.of(2026, 3, 7, 15, 4, 5);

  @TestFactory
  Stream<DynamicTest> construct_renderedLikePython() {
    Goldens goldens = Goldens.constructs();
    Map<String, Object> variables = goldens.part("variables");
    return goldens
        .cases()
        .map(golden -> {
          String source = Goldens.text(golden, "source");
          return DynamicTest.dynamicTest(source, () -> compare(golden, source, variables));
        });
  }

  @TestFactory
  Stream<DynamicTest> conversation_renderedLikePython() {
    Goldens goldens = Goldens.models();
    Map<String, Object> templates = goldens.part("templates");
    Map<String, Object> conversations = goldens.part("conversations");
    return goldens
        .cases()
        .map(golden -> {
          String template = Goldens.text(golden, "template");
          String conversation = Goldens.text(golden, "conversation");
          return DynamicTest.dynamicTest(
              template + ", " + conversation,
              () ->
                  compare(
                      golden,
                      Goldens.text(templates, template),
                      Goldens.map(conversations.get(conversation))));
        });
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
}
