package dev.sojourn.text.template;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A template from an unknown model file can fail, but nothing else. */
final class ChatTemplateRobustnessTest {

  private static final long SEED = 20_261_121;

  private static final String[] PIECES = {
    "{{",
    "}}",
    "{%",
    "%}",
    "{#",
    "#}",
    "-",
    "+",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "|",
    ".",
    ",",
    ":",
    "~",
    "*",
    "**",
    "//",
    "%",
    "'",
    "\"",
    "\\",
    "\n",
    " ",
    "=",
    "==",
    "<",
    " not ",
    " is ",
    " in ",
    " if ",
    " else ",
    " and ",
    " or ",
    "loop",
    "caller",
    "namespace",
    "[::-1]",
    "[1:",
    "0",
    "1e9",
    "99999999999",
    "none",
    "true",
    "messages",
    "{% endfor %}",
    "{% endif %}",
    "{% else %}",
    "{% for x in ",
    "{% if ",
    "{% set x = ",
    "{% macro m(a) %}",
    "{% endmacro %}",
    "|join",
    "|list",
    "|tojson",
    "|length",
    "|map('upper')",
    "|int",
    "😀",
    "\ud83d",
    "\u0000"
  };

  @Test
  void mutatedTemplate_rendersOrFailsWithTemplateException() {
    Goldens constructs = Goldens.constructs();
    Goldens models = Goldens.models();
    List<String> seeds = new ArrayList<>();
    constructs.cases().forEach(c -> seeds.add(Goldens.text(c, "source")));
    models.part("templates").values().forEach(t -> seeds.add((String) t));
    List<Map<String, Object>> variables = new ArrayList<>();
    models.part("conversations").values().forEach(c -> variables.add(Goldens.map(c)));
    variables.add(constructs.part("variables"));

    Random random = new Random(SEED);
    int rendered = 0;
    for (int i = 0; i < 20_000; i++) {
      String template = mutated(seeds.get(random.nextInt(seeds.size())), random);
      Map<String, Object> given = variables.get(random.nextInt(variables.size()));
      try {
        ChatTemplate.compile(template).render(given);
        rendered++;
      } catch (TemplateException e) {
        assertThat(e.refusal() || !e.reason().isBlank()).isTrue();
      } catch (RuntimeException | Error e) {
        throw new AssertionError("seed " + SEED + ", case " + i + ":\n" + template, e);
      }
    }
    assertThat(rendered).isGreaterThan(1000);
  }

  private static String mutated(String template, Random random) {
    StringBuilder text = new StringBuilder(template);
    for (int n = 1 + random.nextInt(3); n > 0; n--) {
      int at = random.nextInt(text.length() + 1);
      int to = Math.min(text.length(), at + random.nextInt(12));
      switch (random.nextInt(4)) {
        case 0 -> text.insert(at, PIECES[random.nextInt(PIECES.length)]);
        case 1 -> text.delete(at, to);
        case 2 -> text.replace(at, to, PIECES[random.nextInt(PIECES.length)]);
        default -> text.insert(random.nextInt(text.length() + 1), text.substring(at, to));
      }
    }
    return text.toString();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{{ range(99999)|list|length }}{% endfor %}",
        "{% set n = namespace(s='x') %}{% for i in range(99) %}{% set n.s = n.s + n.s %}{% endfor %}",
        "{% set n = namespace(s=[1]) %}{% for i in range(99) %}{% set n.s = n.s + n.s %}{% endfor %}",
        "{% set n = namespace(s='x') %}{% for i in range(99) %}{% set n.s = n.s ~ n.s %}{% endfor %}",
        "{% set n = namespace(n=2) %}{% for i in range(99) %}{% set n.n = n.n * n.n %}{% endfor %}",
        "{{ 'x' * 999999999999 }}",
        "{{ [1] * 99999999 }}",
        "{{ 2 ** 99999999 }}",
        "{{ 'x'.ljust(999999999) }}",
        "{{ '%999999999d' % 1 }}",
        "{{ '{:999999999}'.format(1) }}",
        "{{ 'x'|center(999999999) }}",
        "{{ ('a' * 99999).replace('', 'b' * 99999) }}",
        "{{ ['a' * 99999]|join|indent(999999999) }}",
        "{{ range(99999)|join('x' * 9999) }}",
        "{{ ('a' * 9999999)|replace('a', 'bbbbbbbbbb') }}",
        "{{ [1]|batch(999999999, 0)|list }}",
        "{{ [[1]]|tojson(indent=999999999) }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% macro m(x) %}{{ m([x]) }}{% endmacro %}{{ m(1) }}",
        "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{% set n = namespace() %}{% set n.n = n %}{{ n }}",
        "{% set n = namespace(l=1) %}{% for i in range(999) %}{% set n.l = [n.l] %}{% endfor %}{{ n.l }}",
        "{% set n = namespace(l=1) %}{% for i in range(999) %}{% set n.l = [n.l] %}{% endfor %}"
            + "{{ n.l|tojson }}",
        "{% set n = namespace(l=1) %}{% for i in range(99999) %}{% set n.l = [n.l] %}{% endfor %}"
            + "{{ n.l == [n.l] }}",
        "{% set n = namespace(l=[]) %}{% for i in range(40) %}{% set n.l = [n.l, n.l] %}{% endfor %}"
            + "{{ n.l }}",
        "{% set n = namespace(l=[]) %}{% set m = namespace(l=[]) %}"
            + "{% for i in range(40) %}{% set n.l = [n.l, n.l] %}{% set m.l = [m.l, m.l] %}{% endfor %}"
            + "{{ n.l == m.l }}",
        "{% set n = namespace(l=[]) %}{% for i in range(40) %}{% set n.l = [n.l, n.l] %}{% endfor %}"
            + "{{ n.l|tojson }}",
        "{% set s = 'x' * 9999999 %}{% for i in range(99999) %}{% if s + 'a' in s %}{% endif %}{% endfor %}"
      })
  void greedyTemplate_isStopped(String template) {
    Assertions.assertTimeoutPreemptively(
        Duration.ofSeconds(20),
        () ->
            assertThatThrownBy(() -> ChatTemplate.compile(template).render(Map.of()))
                .isInstanceOf(TemplateException.class)
                .hasMessageNotContaining("null"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"(", "[", "{1:", "-", "not ", "1+", "1**", "a|upper|", "a.b.", "a(", "{{"})
  void deeplyNestedExpression_isRefused(String piece) {
    assertThatThrownBy(() -> ChatTemplate.compile("{{ " + piece.repeat(100_000)))
        .isInstanceOf(TemplateException.class);
  }

  @ParameterizedTest
  @ValueSource(strings = {"{% if a %}", "{% for a in b %}", "{% macro m() %}", "{% filter trim %}"})
  void deeplyNestedBlocks_areRefused(String piece) {
    assertThatThrownBy(() -> ChatTemplate.compile(piece.repeat(100_000)))
        .isInstanceOf(TemplateException.class)
        .hasMessageContaining("nested");
  }
}
