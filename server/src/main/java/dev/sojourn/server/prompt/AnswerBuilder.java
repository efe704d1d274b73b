package dev.sojourn.server.prompt;

import dev.sojourn.text.answer.Part;
import java.util.ArrayList;
import java.util.List;

/** Puts an {@link Answer} together from its parts. Not thread-safe. */
public final class AnswerBuilder {

  private final String turnId;
  private final StringBuilder text = new StringBuilder();
  private final StringBuilder reasoning = new StringBuilder();
  private final List<String> names = new ArrayList<>();
  private final List<StringBuilder> arguments = new ArrayList<>();

  /**
   * Begins an answer.
   *
   * @param turnId the turn's, from which calls get their ids
   */
  public AnswerBuilder(String turnId) {
    this.turnId = turnId;
  }

  /** Adds what comes next. */
  public void add(List<Part> parts) {
    for (Part part : parts) {
      switch (part) {
        case Part.Text(String more) -> text.append(more);
        case Part.Reasoning(String more) -> reasoning.append(more);
        case Part.CallBegin(int _, String name) -> {
          names.add(name);
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
    for (int i = 0; i < names.size(); i++) {
      calls.add(new ToolCall(ToolCall.id(turnId, i), names.get(i), arguments.get(i).toString()));
    }
    return new Answer(text.toString(), reasoning.toString(), calls);
  }
}
