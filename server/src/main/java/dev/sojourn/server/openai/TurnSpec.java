package dev.sojourn.server.openai;

import dev.sojourn.core.Fault;
import dev.sojourn.core.Namespace;
import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.Tenant;
import dev.sojourn.router.SelectionQuery;
import dev.sojourn.server.prompt.Prompt;
import dev.sojourn.server.prompt.Transcript;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * One generation that a request asks for.
 *
 * @param turnId unique; names the turn to router and engine
 * @param tenant who it is for
 * @param ext what was said beyond OpenAI's fields
 * @param options how to generate
 * @param choice which of the answers to the same prompt it is
 * @param source makes its prompt
 * @param question what it asks
 */
record TurnSpec(
    String turnId,
    Tenant tenant,
    Nvext ext,
    GenerationOptions options,
    int choice,
    PromptSource source,
    Question question) {

  private static final int EXPECTED_OUTPUT = 256; // where nobody says; only weighs ranks

  /** Makes a prompt, given what its session has said so far. */
  @FunctionalInterface
  interface PromptSource {

    /** Builds the prompt; a transcript is there where the turn has a session. */
    Prompt build(Input input, Optional<Transcript> transcript);

    /** Builds the prompt of a turn of a streaming session, which says what it adds. */
    default Prompt inStream(Optional<Transcript> transcript) {
      return build(Input.DELTA, transcript);
    }

    /**
     * Builds the prompt of a turn of a regular session: what it adds.
     *
     * @param begins whether nothing comes before it
     */
    default Prompt inTree(boolean begins) {
      throw Fault.invalid(
              "session_params.id",
              "a regular session takes plain completions, /v1/completions, and no chats")
          .asException();
    }
  }

  /** Returns this with something else asked of its session. */
  TurnSpec with(SessionControl control) {
    return new TurnSpec(turnId, tenant, ext.with(control), options, choice, source, question);
  }

  /** Returns this with another seed. */
  TurnSpec withSeed(long seed) {
    return new TurnSpec(turnId, tenant, ext, options.withSeed(seed), choice, source, question);
  }

  /** Returns what its messages hold; the whole conversation where it has no session. */
  Input input() {
    return ext.control().map(SessionControl::input).orElse(Input.FULL);
  }

  /** Returns how many tokens it may sample; a guess. */
  private int expectedOutput() {
    OptionalInt most = options.maxTokens();
    int guess = Math.min(EXPECTED_OUTPUT, most.orElse(EXPECTED_OUTPUT));
    int expected = ext.hints().expectedOutput().orElse(guess);
    return Math.min(expected, most.orElse(expected));
  }

  /** Returns what its rank is chosen by. */
  SelectionQuery query(Prompt prompt) {
    return SelectionQuery.ofTokens(
        namespace(), prompt::context, prompt.length(), prompt.knownPrefix(), expectedOutput());
  }

  /** Returns whose KV the turn may share. */
  Namespace namespace() {
    return new Namespace(tenant, ext.salt());
  }
}
