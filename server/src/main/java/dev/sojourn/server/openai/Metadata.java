package dev.sojourn.server.openai;

import dev.sojourn.core.FinishReason;
import dev.sojourn.core.History;
import dev.sojourn.core.LossCause;
import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.TurnMode;
import dev.sojourn.engine.TurnStart;
import dev.sojourn.router.CloseReport;
import dev.sojourn.router.NoSession;
import dev.sojourn.router.Selection;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** What an answer says beyond its text: usage, {@code nvext}, and the decision's headers. */
final class Metadata {

  private Metadata() {}

  /**
   * Returns what the turns cost together. The prompt of several choices counts once; tokens that
   * were sampled for a stop string count though they are not shown.
   */
  static Map<String, Object> usage(List<TurnResult> results) {
    int prompt = 0;
    int cached = 0;
    int completion = 0;
    for (TurnResult result : results) {
      if (result.spec().choice() == 0) {
        prompt += result.start().promptTokens();
        cached += result.start().reusedTokens();
      }
      completion += result.end().sampled();
    }
    Map<String, Object> usage = new LinkedHashMap<>();
    usage.put("prompt_tokens", prompt);
    usage.put("completion_tokens", completion);
    usage.put("total_tokens", prompt + completion);
    usage.put("prompt_tokens_details", Map.of("cached_tokens", cached));
    return usage;
  }

  /** Returns {@code nvext} of an answer. */
  static Map<String, Object> nvext(List<TurnResult> results) {
    TurnResult first = results.getFirst();
    Nvext asked = first.spec().ext();
    Map<String, Object> nvext = new LinkedHashMap<>();
    nvext.put("seed", first.spec().options().seed());
    nvext.put("worker", first.selection().target().worker().name());
    nvext.put("rank", first.selection().target().rank());
    if (asked.control().isPresent()) {
      nvext.put("session", session(asked.control().get(), first));
    }
    if (!asked.hintOutcomes().isEmpty()) {
      nvext.put("hints", asked.hintOutcomes());
    }
    if (asked.promptIds()) {
      nvext.put("prompt_token_ids", first.end().prompt().toArray());
    }
    if (asked.completionIds()) {
      nvext.put("completion_token_ids", first.end().completion().toArray());
    }
    return nvext;
  }

  /** Returns {@code nvext} of an answer to where a request would go. */
  static Map<String, Object> placement(TurnRunner.Placement placement) {
    Map<String, Object> nvext = new LinkedHashMap<>();
    nvext.put("worker", placement.selection().target().worker().name());
    nvext.put("rank", placement.selection().target().rank());
    nvext.put("affinity", lower(placement.selection().affinity()));
    nvext.put("affinity_reason", placement.selection().why());
    nvext.put("overlap_blocks", placement.selection().overlapBlocks());
    nvext.put("token_ids", placement.prompt().toArray());
    return nvext;
  }

  private static Map<String, Object> session(SessionControl control, TurnResult result) {
    Map<String, Object> session = new LinkedHashMap<>();
    session.put("session_id", control.session().name());
    result.selection().incarnation().ifPresent(life -> session.put("incarnation", life.toString()));
    session.put("worker", result.selection().target().worker().name());
    session.put("rank", result.selection().target().rank());
    session.put("affinity", lower(result.selection().affinity()));
    session.put("affinity_reason", result.selection().why());
    boolean engine = result.selection().incarnation().isPresent();
    session.put("promise", engine ? lower(result.promise()) : "none");
    session.put("mode", lower(result.start().mode()));
    if (tells(control, result.why())) {
      session.put("reason", lower(result.why()));
    }
    boolean begins = control.action() == Action.OPEN && result.why() != NoSession.NONE;
    control.parent().filter(_ -> begins).ifPresent(parent -> session.put("forked_from", parent));
    if (result.repeated()) {
      session.put("repeated", true);
    }
    session.put("reused_tokens", result.start().reusedTokens());
    session.put("computed_tokens", result.start().promptTokens() - result.start().reusedTokens());
    if (result.end().retractions() > 0) {
      session.put("retractions", result.end().retractions());
      session.put("recomputed_tokens", result.end().recomputed());
    }
    List<Map<String, Object>> losses = losses(result);
    if (!losses.isEmpty()) {
      session.put("lost_tokens", losses.getFirst().get("tokens"));
      session.put("lost_cause", losses.getFirst().get("cause"));
      session.put("losses", losses);
    }
    boolean left =
        result.start().mode() == TurnMode.REWIND
            || result.start().mode() == TurnMode.ASIDE
            || result.losses().containsKey(LossCause.DIVERGED);
    result
        .divergence()
        .filter(_ -> left)
        .ifPresent(divergence -> {
          session.put("first_divergent_token", divergence.token());
          session.put("divergence_cause", divergence.cause());
        });
    if (result.rendering().characters() > 0) {
      Map<String, Object> rendered = new LinkedHashMap<>();
      rendered.put("what", result.rendering().all() ? "all" : "new");
      rendered.put("characters", result.rendering().characters());
      session.put("rendered", rendered);
    }
    if (control.history() == History.AS_SAMPLED) {
      Optional<String> why = result.rendering().notAsSampled();
      session.put("history", lower(why.isEmpty() ? History.AS_SAMPLED : History.AS_RENDERED));
      why.ifPresent(reason -> session.put("history_reason", reason));
    }
    CloseReport close = result.close();
    if (engine && !close.asked()) {
      session.put("held_tokens", result.end().committed());
      session.put("digest", digest(result.end().digest()));
    }
    if (close.asked()) {
      session.put("closed", true);
      session.put("existed", close.existed());
      session.put("held_tokens", 0);
      session.put(
          "tokens_freed",
          close.tokensFreed().isPresent() ? close.tokensFreed().getAsInt() : "pending");
    }
    return session;
  }

  /** Returns what was lost, most first. */
  private static List<Map<String, Object>> losses(TurnResult result) {
    return result.losses().entrySet().stream()
        .sorted(Map.Entry.<LossCause, Integer>comparingByValue().reversed())
        .map(loss -> {
          Map<String, Object> lost = new LinkedHashMap<>();
          lost.put("cause", lower(loss.getKey()));
          lost.put("tokens", loss.getValue());
          return lost;
        })
        .toList();
  }

  /** Returns whether a reason is news: to one who opens a name, it is none that it was vacant. */
  private static boolean tells(SessionControl control, NoSession why) {
    boolean opens = control.action() == Action.OPEN || control.action() == Action.BIND;
    return switch (why) {
      case NONE -> false;
      case UNKNOWN, EXPIRED -> !opens;
      case FULL, PINNED -> true;
    };
  }

  /** Returns the headers that say where a turn went, and with which seed. */
  static Map<String, String> headers(TurnSpec spec, Selection selection, TurnStart start) {
    return Map.of(
        "x-sojourn-seed", Long.toString(spec.options().seed()),
        "x-sojourn-worker", selection.target().toString(),
        "x-sojourn-affinity", lower(selection.affinity()),
        "x-sojourn-affinity-reason", selection.why(),
        "x-sojourn-cached-tokens", Integer.toString(start.reusedTokens()));
  }

  /** Returns whether an answer needs more than OpenAI's fields. */
  static boolean wanted(Nvext ext) {
    return ext.present() || ext.control().isPresent();
  }

  static String digest(long digest) {
    return HexFormat.of().toHexDigits(digest);
  }

  /**
   * Returns OpenAI's name of the reason.
   *
   * @param calls whether the answer calls tools of its own accord
   */
  static String finishReason(FinishReason reason, boolean calls) {
    return switch (reason) {
      case STOP -> calls ? "tool_calls" : "stop";
      case LENGTH -> "length";
      case CANCELLED, ERROR ->
          throw new IllegalArgumentException(reason + " is told as an error, not as an answer");
    };
  }

  static String lower(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }
}
