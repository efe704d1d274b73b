package dev.sojourn.server.openai;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.sojourn.core.Clock;
import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.History;
import dev.sojourn.core.SessionControl;
import dev.sojourn.core.Tenant;
import dev.sojourn.server.access.ApiKeys;
import dev.sojourn.server.access.IdentityRule;
import dev.sojourn.server.http.EventStream;
import dev.sojourn.server.http.Exchange;
import dev.sojourn.server.http.Reply;
import dev.sojourn.server.http.Routes;
import dev.sojourn.server.openai.TurnSpec.PromptSource;
import dev.sojourn.server.prompt.ChatTerms;
import dev.sojourn.server.prompt.PromptBuilder;
import dev.sojourn.server.prompt.ToolChoice;
import dev.sojourn.server.sessions.RunningTurns;
import dev.sojourn.server.sessions.SessionEndpoints;
import dev.sojourn.text.TokenBytes;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/** OpenAI's endpoints: chat completions, completions and models. Thread-safe. */
public final class OpenAiEndpoints {

  private static final JsonMapper JSON = JsonMapper.shared();
  private static final byte[] DONE = "[DONE]".getBytes(UTF_8);

  private static final int SEED_BITS = 53; // what every JSON reader keeps

  private final ModelCard model;
  private final ApiKeys keys;
  private final NvextReader nvext;
  private final PromptBuilder prompts;
  private final Turns turns;
  private final Admission admission;
  private final RunningTurns running;
  private final LogprobsFormat logprobs;
  private final Clock clock;
  private final RandomGenerator random;

  /**
   * Creates the endpoints.
   *
   * @param ladder headers that name sessions, best first
   * @param implicitSessions whether a session that is named but not open is opened
   * @param maxConcurrent the most generations at one time
   * @param random where seeds come from, of requests that name none; used by many threads at once
   */
  public OpenAiEndpoints(
      ModelCard model,
      ApiKeys keys,
      List<IdentityRule> ladder,
      boolean implicitSessions,
      int maxConcurrent,
      PromptBuilder prompts,
      TokenBytes spelling,
      TurnRunner runner,
      RunningTurns running,
      Clock clock,
      RandomGenerator random) {
    this.model = model;
    this.keys = keys;
    this.nvext = new NvextReader(ladder, implicitSessions, keys::limits);
    this.prompts = prompts;
    this.turns = new Turns(runner);
    this.admission = new Admission(maxConcurrent);
    this.running = running;
    this.logprobs = new LogprobsFormat(spelling);
    this.clock = clock;
    this.random = random;
  }

  /** Adds the routes. */
  public void addTo(Routes routes) {
    routes
        .on("POST", "/v1/chat/completions", this::chat)
        .on("POST", "/v1/completions", this::completion)
        .on("GET", "/v1/models", this::models)
        .on("GET", "/v1/models/{id+}", this::model);
  }

  private void chat(Exchange exchange) throws Exception {
    Tenant tenant = keys.tenant(exchange);
    Fields body = Fields.parse(exchange.body());
    GenerationOptions options = GenerationOptions.ofChat(body, this::drawSeed);
    checkModel(options.model());
    List<Map<String, ?>> messages = ChatMessages.of(body);
    Nvext ext = nvext.read(body, exchange::header, tenant);
    ChatTerms terms =
        new ChatTerms(
            TemplateOptions.of(body),
            ToolFields.tools(body),
            ToolFields.choice(body),
            body.raw("parallel_tool_calls") == null || body.flag("parallel_tool_calls"),
            ext.control().map(SessionControl::history).orElse(History.AS_RENDERED));
    PromptSource source = (input, transcript) -> prompts.chat(messages, input, terms, transcript);
    Object said =
        List.of(
            messages,
            terms.options(),
            terms.tools(),
            terms.choice(),
            terms.several(),
            terms.history());
    Asked asked = new Asked(source, new Question(said, options, body.has("seed")));
    boolean named = terms.choice() instanceof ToolChoice.Named;
    answer(exchange, true, named, tenant, options, ext, List.of(asked));
  }

  private void completion(Exchange exchange) throws Exception {
    Tenant tenant = keys.tenant(exchange);
    Fields body = Fields.parse(exchange.body());
    GenerationOptions options = GenerationOptions.ofCompletion(body, this::drawSeed);
    checkModel(options.model());
    Nvext ext = nvext.read(body, exchange::header, tenant);
    List<Asked> asked = new ArrayList<>();
    for (CompletionPrompt prompt : CompletionPrompt.of(body, model.vocabularySize())) {
      if (prompt instanceof CompletionPrompt.Ids(var ids)) {
        // Known now, so it need not wait for its turn to be told.
        TurnRunner.checkLength(ids.length(), model.contextLength());
      }
      PromptSource source = new CompletionSource(prompts, prompt);
      asked.add(new Asked(source, new Question(prompt, options, body.has("seed"))));
    }
    answer(exchange, false, false, tenant, options, ext, asked);
  }

  /** One prompt of a request. */
  private record Asked(PromptSource source, Question question) {}

  private void answer(
      Exchange exchange,
      boolean chat,
      boolean namesTool,
      Tenant tenant,
      GenerationOptions options,
      Nvext ext,
      List<Asked> asks)
      throws InterruptedException {
    int generations = options.choices() * asks.size();
    checkChoices(generations, ext);
    String id = (chat ? "chatcmpl-" : "cmpl-") + UUID.randomUUID();
    List<TurnSpec> specs = new ArrayList<>();
    for (Asked asked : asks) {
      for (int choice = 0; choice < options.choices(); choice++) {
        String turnId = generations == 1 ? id : id + "-" + specs.size();
        specs.add(
            new TurnSpec(turnId, tenant, ext, options, choice, asked.source(), asked.question()));
      }
    }
    exchange.answerHeader("x-sojourn-seed", Long.toString(options.seed()));
    AnswerFormat format =
        new AnswerFormat(
            chat,
            namesTool,
            id,
            clock.now().getEpochSecond(),
            model.id(),
            options.stream() && options.includeUsage(),
            logprobs);
    ext.control().ifPresent(control -> running.add(control.session(), exchange));
    boolean waits = waits(ext);
    Supplier<Admission.Place> later = waits ? () -> admission.admit(1) : admission::nowhere;
    try (Admission.Place _ = waits ? admission.nowhere() : admission.admit(generations)) {
      if (ext.queryOnly()) {
        place(exchange, options.stream(), format, specs.getFirst());
      } else if (options.stream()) {
        stream(exchange, chat, options, format, specs, later);
      } else {
        List<TurnResult> results = turns.run(specs, _ -> TurnListener.SILENT, later);
        TurnResult first = results.getFirst();
        Metadata.headers(first.spec(), first.selection(), first.start())
            .forEach(exchange::answerHeader);
        exchange.reply(Reply.json(200, format.whole(results)));
      }
    } catch (FaultException e) {
      throw chat && e.fault() instanceof Fault.PromptTooLong(String message, String _)
          ? new Fault.PromptTooLong(message, "messages").asException()
          : e;
    } finally {
      ext.control().ifPresent(control -> running.remove(control.session(), exchange));
    }
  }

  /**
   * Returns whether a turn may have to wait for earlier ones of its session, and takes its place
   * among the generations when they are over.
   */
  private static boolean waits(Nvext ext) {
    return !ext.queryOnly() && ext.control().isPresent();
  }

  /** Tells where a turn would go, in the form in which its answer would come. */
  private void place(Exchange exchange, boolean stream, AnswerFormat format, TurnSpec spec)
      throws InterruptedException {
    byte[] placement = format.placement(turns.place(spec), stream);
    if (stream) {
      EventStream events = exchange.events();
      events.data(placement);
      events.data(DONE);
    } else {
      exchange.reply(Reply.json(200, placement));
    }
  }

  private void stream(
      Exchange exchange,
      boolean chat,
      GenerationOptions options,
      AnswerFormat format,
      List<TurnSpec> specs,
      Supplier<Admission.Place> later)
      throws InterruptedException {
    EventStream events = exchange.events();
    List<ChoiceStream> choices = new ArrayList<>();
    for (int i = 0; i < specs.size(); i++) {
      choices.add(new ChoiceStream(exchange, events, format, i, chat, specs.get(i)));
    }
    List<TurnResult> results = turns.run(specs, choices::get, later);
    @Nullable Map<String, Object> metadata =
        Metadata.wanted(specs.getFirst().ext()) ? Metadata.nvext(results) : null;
    int last = results.size() - 1;
    for (int i = 0; i <= last; i++) {
      choices.get(i).finish(results.get(i).end().reason(), i == last ? metadata : null);
    }
    if (options.includeUsage()) {
      events.data(format.usageChunk(Metadata.usage(results)));
    }
    events.data(DONE);
  }

  private static void checkChoices(int generations, Nvext ext) {
    if (generations > GenerationOptions.MAX_CHOICES) {
      throw Fault.invalid(
              "n",
              "the request asks for "
                  + generations
                  + " answers, "
                  + GenerationOptions.MAX_CHOICES
                  + " are the most")
          .asException();
    }
    if (generations > 1 && ext.control().isPresent()) {
      throw Fault.invalid("n", "a turn of a session has one answer, not " + generations)
          .asException();
    }
    if (generations > 1 && (ext.promptIds() || ext.completionIds())) {
      throw Fault.invalid("nvext.extra_fields", "token ids are told where there is one answer only")
          .asException();
    }
  }

  private void checkModel(String asked) {
    if (!asked.equals(model.id())) {
      throw unknownModel(asked);
    }
  }

  private RuntimeException unknownModel(String asked) {
    return new Fault.NotFound(
            "model_not_found",
            "there is no model " + Fields.shown(asked) + " here; there is \"" + model.id() + "\"")
        .asException();
  }

  private void models(Exchange exchange) {
    var _ = keys.tenant(exchange);
    exchange.reply(Reply.json(200, SessionEndpoints.listOf(List.of(listing()))));
  }

  private void model(Exchange exchange) {
    var _ = keys.tenant(exchange);
    if (!exchange.parameter("id").equals(model.id())) {
      throw unknownModel(exchange.parameter("id"));
    }
    exchange.reply(Reply.json(200, JSON.writeValueAsBytes(listing())));
  }

  private Map<String, Object> listing() {
    Map<String, Object> listing = new LinkedHashMap<>();
    listing.put("id", model.id());
    listing.put("object", "model");
    listing.put("created", model.created().getEpochSecond());
    listing.put("owned_by", "sojourn");
    listing.put("max_model_len", model.room());
    listing.put("tool_parser", Metadata.lower(prompts.answers().calls()));
    listing.put("reasoning_parser", Metadata.lower(prompts.answers().reasoning()));
    listing.put("suffix_local", prompts.suffixLocal());
    return listing;
  }

  private long drawSeed() {
    return random.nextLong(1L << SEED_BITS);
  }
}
