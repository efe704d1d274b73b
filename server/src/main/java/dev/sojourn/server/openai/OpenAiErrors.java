package dev.sojourn.server.openai;

import dev.sojourn.core.Fault;
import dev.sojourn.server.http.Dialect;
import dev.sojourn.server.http.Reply;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/**
 * Errors as OpenAI writes them: <code>{"error":{"message","type","code","param"}}</code>. What a
 * client should not send again as it is carries {@code x-should-retry: false}, because the official
 * clients repeat a 409 twice; overload carries {@code retry-after}.
 */
public final class OpenAiErrors implements Dialect {

  private static final JsonMapper JSON = JsonMapper.shared();

  /** What HTTP alone knows of: to the domain, it is one more invalid request. */
  private static final int METHOD_NOT_ALLOWED = 405;

  @Override
  public Reply error(int status, Fault fault) {
    Map<String, @Nullable Object> error = body(fault);
    if (status == METHOD_NOT_ALLOWED) {
      error.put("code", "method_not_allowed");
    }
    Reply reply = Reply.json(status, JSON.writeValueAsBytes(Map.of("error", error)));
    return switch (fault) {
      case Fault.Overloaded overloaded ->
          reply.with(
              "retry-after", Long.toString(Math.max(1, overloaded.retryAfter().toSeconds())));
      case Fault.Unavailable _ -> reply.with("retry-after", "1");
      case Fault.Internal _ -> reply;
      case Fault.Unauthenticated _ ->
          reply.with("www-authenticate", "Bearer").with("x-should-retry", "false");
      default -> reply.with("x-should-retry", "false");
    };
  }

  @Override
  public byte[] errorEvent(Fault fault) {
    return JSON.writeValueAsBytes(Map.of("error", body(fault)));
  }

  private static Map<String, @Nullable Object> body(Fault fault) {
    Map<String, @Nullable Object> error = new LinkedHashMap<>();
    error.put("message", fault.message());
    error.put("type", type(fault));
    error.put("code", code(fault));
    error.put("param", param(fault));
    if (fault instanceof Fault.Conflict conflict && !conflict.observed().isEmpty()) {
      error.put("observed", conflict.observed());
    }
    return error;
  }

  private static @Nullable String param(Fault fault) {
    return switch (fault) {
      case Fault.InvalidRequest invalid -> invalid.param().orElse(null);
      case Fault.PromptTooLong tooLong -> tooLong.param();
      case Fault.Conflict conflict -> conflict.param().orElse(null);
      default -> null;
    };
  }

  private static String type(Fault fault) {
    return switch (fault) {
      case Fault.InvalidRequest _,
          Fault.PromptTooLong _,
          Fault.NotFound _,
          Fault.Conflict _,
          Fault.TooLarge _ ->
          "invalid_request_error";
      case Fault.Unauthenticated _ -> "authentication_error";
      case Fault.Forbidden _ -> "permission_error";
      case Fault.Cancelled _ -> "cancelled_error";
      case Fault.Unavailable _, Fault.Internal _ -> "server_error";
      case Fault.Overloaded _ -> "overloaded_error";
    };
  }

  private static @Nullable String code(Fault fault) {
    return switch (fault) {
      case Fault.InvalidRequest _ -> "invalid_value";
      case Fault.PromptTooLong _ -> "context_length_exceeded";
      case Fault.Unauthenticated _ -> "invalid_api_key";
      case Fault.Forbidden _ -> "forbidden";
      case Fault.NotFound missing -> missing.code();
      case Fault.Conflict conflict -> conflict.code();
      case Fault.TooLarge _ -> "request_too_large";
      case Fault.Cancelled _ -> "cancelled";
      case Fault.Unavailable _ -> "unavailable";
      case Fault.Internal _ -> "internal_error";
      case Fault.Overloaded _ -> "overloaded";
    };
  }
}
