package dev.sojourn.server.openai;

import dev.sojourn.engine.sample.SamplingParameters;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.function.LongSupplier;

/**
 * What a request says of its generations, apart from the prompt.
 *
 * @param model the model's id
 * @param stream whether the answer is a stream of events
 * @param includeUsage whether a stream tells its usage at its end
 * @param choices how many answers to give, {@code n}
 * @param seed decides with the choice and the position what is drawn; drawn where the client gave
 *     none
 * @param temperature see {@link SamplingParameters}
 * @param topK see {@link SamplingParameters}
 * @param topP see {@link SamplingParameters}
 * @param minP see {@link SamplingParameters}
 * @param maxTokens the most tokens to sample; up to the context's end if empty
 * @param stops strings that end an answer
 * @param ignoreEos whether an end-of-turn token ends nothing, as benchmarks want it ({@code
 *     ignore_eos}, of SGLang, vLLM and {@code nvext})
 * @param logprobs whether log probabilities are told
 * @param topLogprobs of how many alternatives
 */
record GenerationOptions(
    String model,
    boolean stream,
    boolean includeUsage,
    int choices,
    long seed,
    float temperature,
    int topK,
    float topP,
    float minP,
    OptionalInt maxTokens,
    List<String> stops,
    boolean ignoreEos,
    boolean logprobs,
    int topLogprobs) {

  /** The most answers to one request, over all its prompts. */
  static final int MAX_CHOICES = 128;

  private static final int MAX_STOPS = 4;
  private static final int MAX_STOP_LENGTH = 1024;
  private static final int MAX_TOP_LOGPROBS = 20;
  private static final int COMPLETION_DEFAULT = 16; // OpenAI's

  /** How vLLM's and SGLang's clients ask for an answer of some form. */
  private static final List<String> CONSTRAINTS =
      List.of(
          "guided_json",
          "guided_regex",
          "guided_choice",
          "guided_grammar",
          "structured_outputs",
          "json_schema",
          "regex",
          "ebnf");

  GenerationOptions {
    stops = List.copyOf(stops);
  }

  /** Reads the options of a chat. */
  static GenerationOptions ofChat(Fields body, LongSupplier seeds) {
    refuse(body, "functions", List.of());
    refuse(body, "function_call", "none");
    refuse(body, "response_format", Map.of("type", "text"));
    refuse(body, "modalities", List.of("text"));
    refuse(body, "audio", Map.of());
    refuse(body, "prediction", List.of());
    refuse(body, "web_search_options", List.of());
    refuse(body, "store", false);
    boolean logprobs = body.flag("logprobs");
    OptionalInt top = body.integer("top_logprobs", 0, MAX_TOP_LOGPROBS);
    if (top.isPresent() && !logprobs) {
      throw body.wrong("top_logprobs", "needs logprobs to be true");
    }
    OptionalInt most = body.integer("max_completion_tokens", 1, Integer.MAX_VALUE);
    OptionalInt older = body.integer("max_tokens", 1, Integer.MAX_VALUE);
    return read(body, seeds, most.isPresent() ? most : older, logprobs, top.orElse(0));
  }

  /** Reads the options of a completion. */
  static GenerationOptions ofCompletion(Fields body, LongSupplier seeds) {
    refuse(body, "echo", false);
    refuse(body, "suffix", "");
    refuse(body, "best_of", 1);
    refuse(body, "response_format", Map.of("type", "text"));
    OptionalInt top = body.integer("logprobs", 0, MAX_TOP_LOGPROBS);
    OptionalInt most = body.integer("max_tokens", 1, Integer.MAX_VALUE);
    return read(
        body,
        seeds,
        OptionalInt.of(most.orElse(COMPLETION_DEFAULT)),
        top.isPresent(),
        top.orElse(0));
  }

  private static GenerationOptions read(
      Fields body, LongSupplier seeds, OptionalInt maxTokens, boolean logprobs, int top) {
    refuse(body, "logit_bias", Map.of());
    refuse(body, "frequency_penalty", 0);
    refuse(body, "presence_penalty", 0);
    refuse(body, "repetition_penalty", 1);
    refuse(body, "min_tokens", 0);
    refuse(body, "stop_token_ids", List.of());
    for (String constraint : CONSTRAINTS) {
      refuse(body, constraint, "");
    }
    return new GenerationOptions(
        body.requiredText("model"),
        body.flag("stream"),
        body.object("stream_options").map(o -> o.flag("include_usage")).orElse(false),
        body.integer("n", 1, MAX_CHOICES).orElse(1),
        body.whole("seed", Long.MIN_VALUE, Long.MAX_VALUE).orElseGet(seeds),
        body.number("temperature", 0, 2, "0 to 2").orElse(1.0).floatValue(),
        Math.max(0, body.integer("top_k", -1, Integer.MAX_VALUE).orElse(0)),
        body.number("top_p", Float.MIN_NORMAL, 1, "above 0 and at most 1").orElse(1.0).floatValue(),
        body.number("min_p", 0, 1, "0 to 1").orElse(0.0).floatValue(),
        maxTokens,
        stops(body),
        body.flag("ignore_eos")
            || body.object("nvext").map(nvext -> nvext.flag("ignore_eos")).orElse(false),
        logprobs,
        top);
  }

  /** Returns these with another seed. */
  GenerationOptions withSeed(long other) {
    return with(other, stream, includeUsage);
  }

  /** Returns what of these decides an answer, apart from the seed. */
  GenerationOptions shape() {
    return with(0, false, false);
  }

  private GenerationOptions with(long otherSeed, boolean streams, boolean usage) {
    return new GenerationOptions(
        model,
        streams,
        usage,
        choices,
        otherSeed,
        temperature,
        topK,
        topP,
        minP,
        maxTokens,
        stops,
        ignoreEos,
        logprobs,
        topLogprobs);
  }

  /** Refuses what is asked for and not done, rather than to leave it out in silence. */
  private static void refuse(Fields body, String name, Object harmless) {
    Object value = body.raw(name);
    boolean same = harmless.equals(value);
    if (value instanceof Number number && harmless instanceof Number none) {
      same = number.doubleValue() == none.doubleValue();
    }
    boolean empty = value instanceof List<?> list && list.isEmpty();
    if (value != null && !same && !empty) {
      throw body.wrong(name, "is not supported yet; leave it out");
    }
  }

  private static List<String> stops(Fields body) {
    body.either("stop", String.class, List.class, "a string or a list of strings");
    List<String> stops = new ArrayList<>();
    if (body.raw("stop") instanceof String one) {
      stops.add(one);
    } else {
      stops.addAll(body.texts("stop"));
    }
    if (stops.size() > MAX_STOPS) {
      throw body.wrong(
          "stop", "must have at most " + MAX_STOPS + " strings, but has " + stops.size());
    }
    for (String stop : stops) {
      if (stop.isEmpty() || stop.length() > MAX_STOP_LENGTH) {
        throw body.wrong(
            "stop",
            "must have strings of 1 to "
                + MAX_STOP_LENGTH
                + " characters, but one has "
                + stop.length());
      }
    }
    return stops;
  }

  /** Returns how tokens of one of the answers are drawn. */
  SamplingParameters sampling(int choice) {
    return new SamplingParameters(temperature, topK, topP, minP, seed, choice);
  }
}
