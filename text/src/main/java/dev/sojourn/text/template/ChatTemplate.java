package dev.sojourn.text.template;

import dev.sojourn.core.Clock;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.util.Map;

/**
 * A model's chat template: Jinja, rendered byte for byte as Python's jinja2 renders it in the
 * sandbox that transformers sets up (immutable values, {@code trim_blocks}, {@code lstrip_blocks},
 * {@code break} and {@code continue}, {@code generation}, its own {@code tojson}, {@code
 * raise_exception} and {@code strftime_now}). {@code docs/decisions/0040} says where it differs.
 *
 * <p>A template is data that comes with a model. It can do nothing but compute a text from its
 * variables: there is no reflection and no I/O behind it, it changes none of them, and its time,
 * memory and depth are bounded.
 *
 * <p>Immutable and safe for use by any thread. Compile once; rendering is cheap.
 */
public final class ChatTemplate {

  private final Program program;

  private ChatTemplate(Program program) {
    this.program = program;
  }

  /**
   * Compiles a template.
   *
   * @throws TemplateException if it is not well-formed, or nested too deeply
   */
  public static ChatTemplate compile(String jinja) {
    try {
      return new ChatTemplate(Parser.parse(jinja));
    } catch (StackOverflowError e) {
      // The parser's own bounds suffice for threads of the usual stack size; this is for others.
      throw new TemplateException("nested too deeply");
    }
  }

  /**
   * Renders the template now, in the time zone of this machine.
   *
   * @param variables JSON trees by name: {@link Map}, {@link java.util.List}, {@link String},
   *     {@link Number}, {@link Boolean} and null; read, never changed
   * @throws TemplateException if the template fails, refuses the conversation, or does too much
   */
  public String render(Map<String, ?> variables) {
    return render(variables, LocalDateTime.ofInstant(Clock.system().now(), ZoneId.systemDefault()));
  }

  /**
   * Renders the template at a given time. The result depends on nothing else than the arguments:
   * who passes the same time for all turns of a session gets the same text for its beginning.
   *
   * @param variables as above
   * @param now what {@code strftime_now} tells
   * @throws TemplateException as above
   */
  public String render(Map<String, ?> variables, LocalDateTime now) {
    try {
      return program.run(variables, new Rendering(now));
    } catch (StackOverflowError e) {
      throw new TemplateException("the template nests calls or values too deeply");
    }
  }
}
