package dev.sojourn.server.openai;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;

final class TemplateOptionsTest {

  @Test
  void reasoningEffort_isTheTemplatesVariableUnlessThatIsGiven() {
    String effort = "{'reasoning_effort': 'high'%s}".replace('\'', '"');
    assertThat(options(effort.formatted(""))).isEqualTo(Map.of("reasoning_effort", "high"));
    String given = ", \"chat_template_kwargs\": {\"reasoning_effort\": 3}";
    assertThat(options(effort.formatted(given))).isEqualTo(Map.of("reasoning_effort", 3));
  }

  private static Map<String, ?> options(String body) {
    return TemplateOptions.of(Fields.parse(body.getBytes(UTF_8)));
  }
}
