package dev.sojourn.server.prompt;

import dev.sojourn.text.answer.Part;
import java.util.ArrayList;
import java.util.List;

/** Puts an {@link Answer} together from its parts. Not thread-safe. */
public final class AnswerBuilder {

  private final StringBuilder text = new StringBuilder();
  private final StringBuilder reasoning = new StringBuilder();
  private final List<Part.CallBegin> begun = new ArrayList<>();
  private final List<StringBuilder> arguments = new ArrayList<>();

  /** Adds what comes next. */
  public void add(List<Part> parts) {
    for (Part part : parts) {
      switch (part) {
        case Part.Text(String more) -> text.append(more);
        case Part.Reasoning(String more) -> reasoning.append(more);
        case Part.CallBegin call -> {
          begun.add(call);
          arguments.add(new StringBuilder());
        }
        case Part.CallArguments(int index, String json) -> arguments.get(index).append(json);
        case Part.CallEnd _ -> {}
      }
    }
  }

  /** Returns the answer as far as it goes. */
  public Answer answer() {
    List<ToolCall> calls = new ArrayList<>();
    for (int i = 0; i < begun.size(); i++) {
      Part.CallBegin call = begun.get(i);
      calls.add(new ToolCall(call.id(), call.name(), arguments.get(i).toString()));
    }
    return new Answer(text.toString(), reasoning.toString(), calls);
  }
}
