package dev.sojourn.text.template;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

final class ChatTemplateTest {

  @Test
  void failure_insideMacro_namesItsLine() {
    ChatTemplate template =
        ChatTemplate.compile(
            """
            {% macro m(x) %}

            {{ x.y.z }}
            {% endmacro %}
            {{ m({}) }}
            """);

    TemplateException failure =
        catchThrowableOfType(TemplateException.class, () -> template.render(Map.of()));

    assertThat(failure.line()).isEqualTo(3);
    assertThat(failure.reason()).isEqualTo("'dict object' has no attribute 'y'");
    assertThat(failure).hasMessage("template line 3: 'dict object' has no attribute 'y'");
    assertThat(failure.refusal()).isFalse();
  }

  @Test
  void syntaxError_afterSeveralLines_namesItsLine() {
    TemplateException failure =
        catchThrowableOfType(
            TemplateException.class, () -> ChatTemplate.compile("a\r\n{% if x %}\n{{ 1 +\n}}\n"));

    assertThat(failure).hasMessage("template line 4: expected an expression, found '}}'");
  }

  @Test
  void raiseException_isARefusalInTheTemplatesWords() {
    ChatTemplate template = ChatTemplate.compile("\n{{ raise_exception('no ' ~ role) }}");

    TemplateException failure =
        catchThrowableOfType(
            TemplateException.class, () -> template.render(Map.of("role", "critics")));

    assertThat(failure.refusal()).isTrue();
    assertThat(failure.reason()).isEqualTo("no critics");
    assertThat(failure.line()).isEqualTo(2);
  }

  @Test
  void render_sameTime_sameText() {
    ChatTemplate template = ChatTemplate.compile("{{ strftime_now('%d %b %Y %H:%M') }}");

    assertThat(template.render(Map.of(), LocalDateTime.of(2026, 1, 2, 3, 4)))
        .isEqualTo("02 Jan 2026 03:04");
  }

  @Test
  void render_withoutTime_tellsThisYear() {
    String year = ChatTemplate.compile("{{ strftime_now('%Y') }}").render(Map.of());

    assertThat(Integer.parseInt(year)).isGreaterThanOrEqualTo(2026);
  }

  @Test
  void numbersOfAllTypes_printLikePython() {
    Map<String, Object> variables = new HashMap<>();
    variables.put(
        "n",
        List.of(
            (byte) 1,
            (short) 2,
            3,
            4L,
            new BigInteger("123456789012345678901"),
            1.5f,
            2.0,
            new BigDecimal("1e20")));

    assertThat(ChatTemplate.compile("{{ n }}").render(variables))
        .isEqualTo("[1, 2, 3, 4, 123456789012345678901, 1.5, 2.0, 1e+20]");
  }

  @Test
  void nullsInsideTrees_areNone() {
    Map<String, Object> variables = new HashMap<>();
    variables.put("a", null);
    variables.put("l", Collections.singletonList(null));
    variables.put("m", Collections.singletonMap("k", null));

    assertThat(
            ChatTemplate.compile(
                    "{{ a }} {{ l[0] }} {{ m.k is none }} {{ m }} {{ none in l }} {{ l|tojson }}")
                .render(variables))
        .isEqualTo("None None True {'k': None} True [null]");
  }

  @Test
  void variables_comeBeforeGlobals_andAreNotChanged() {
    Map<String, Object> variables =
        Collections.unmodifiableMap(
            new HashMap<>(Map.of("range", 5, "l", Collections.unmodifiableList(List.of(2, 1)))));

    assertThat(
            ChatTemplate.compile("{{ range }}{{ l|sort }}{{ l + [3] }}{{ l }}").render(variables))
        .isEqualTo("5[1, 2][2, 1, 3][2, 1]");
  }

  @Test
  void foreignObject_isOpaque() {
    ChatTemplate template =
        ChatTemplate.compile("{{ o.class }}{{ o.bytes is defined }}{{ o['x'] }}");

    assertThat(template.render(Map.of("o", new Object()))).isEqualTo("False");
    assertThatThrownBy(
            () -> ChatTemplate.compile("{{ o.getClass() }}").render(Map.of("o", new Object())))
        .isInstanceOf(TemplateException.class);
  }

  @Test
  void render_byManyThreads_keepsTheirTextsApart() throws Exception {
    ChatTemplate template =
        ChatTemplate.compile(
            "{% set ns = namespace(t='') %}{% macro m(x) %}<{{ x }}>{% endmacro %}"
                + "{% for i in range(n) %}{% set ns.t = ns.t ~ m(i) %}{% endfor %}{{ ns.t }}");
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<String>> texts = new ArrayList<>();
      for (int i = 0; i < 100; i++) {
        int n = i;
        texts.add(threads.submit(() -> template.render(Map.of("n", n))));
      }
      for (int i = 0; i < 100; i++) {
        StringBuilder expected = new StringBuilder();
        for (int j = 0; j < i; j++) {
          expected.append('<').append(j).append('>');
        }
        assertThat(texts.get(i).get()).isEqualTo(expected.toString());
      }
    }
  }
}
