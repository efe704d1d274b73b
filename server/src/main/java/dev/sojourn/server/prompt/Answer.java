package dev.sojourn.server.prompt;

import dev.sojourn.text.answer.Part;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What a model answered, as its client is told.
 *
 * @param text words for the reader
 * @param reasoning what the model said to itself
 * @param calls the tools that it calls, in order
 */
public record Answer(String text, String reasoning, List<ToolCall> calls) {

  public Answer {
    calls = List.copyOf(calls);
  }

  /** Returns its parts: thoughts, then words, then calls. */
  public List<Part> parts() {
    List<Part> parts = new ArrayList<>();
    if (!reasoning.isEmpty()) {
      parts.add(new Part.Reasoning(reasoning));
    }
    if (!text.isEmpty()) {
      parts.add(new Part.Text(text));
    }
    for (int i = 0; i < calls.size(); i++) {
      parts.add(new Part.CallBegin(i, calls.get(i).id(), calls.get(i).name()));
      parts.add(new Part.CallArguments(i, calls.get(i).arguments()));
      parts.add(new Part.CallEnd(i));
    }
    return parts;
  }

  /** Returns the answer as a message, in the form in which conversations are held. */
  public Map<String, ?> message() {
    Map<String, @Nullable Object> message = new TreeMap<>();
    message.put("role", "assistant");
    message.put("content", text.isEmpty() && !calls.isEmpty() ? null : text);
    if (!reasoning.isEmpty()) {
      message.put("reasoning_content", reasoning);
    }
    if (!calls.isEmpty()) {
      message.put("tool_calls", calls.stream().map(ToolCall::field).toList());
    }
    return message;
  }
}
