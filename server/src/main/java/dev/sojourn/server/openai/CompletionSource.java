package dev.sojourn.server.openai;

import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.server.openai.TurnSpec.PromptSource;
import dev.sojourn.server.prompt.Prompt;
import dev.sojourn.server.prompt.PromptBuilder;
import dev.sojourn.server.prompt.Transcript;
import java.util.Optional;

/** Makes the prompts of plain completions. */
record CompletionSource(PromptBuilder prompts, CompletionPrompt said) implements PromptSource {

  @Override
  public Prompt build(Input input, Optional<Transcript> transcript) {
    return switch (said) {
      case CompletionPrompt.Text(var text) -> prompts.completion(text, input, transcript);
      case CompletionPrompt.Ids(var ids) -> prompts.completion(ids, input, transcript);
    };
  }

  @Override
  public Prompt inStream(Optional<Transcript> transcript) {
    boolean begins = transcript.filter(held -> held.committed() > 0).isEmpty();
    return switch (said) {
      case CompletionPrompt.Ids(var ids) when !begins ->
          prompts.completion(prompts.behind(ids), Input.DELTA, transcript);
      default -> build(Input.DELTA, transcript);
    };
  }

  @Override
  public Prompt inTree(boolean begins) {
    return switch (said) {
      case CompletionPrompt.Text(var text) when !begins -> prompts.completionBehind(text);
      case CompletionPrompt.Ids(var ids) when !begins ->
          prompts.completion(prompts.behind(ids), Input.FULL, Optional.empty());
      default -> build(Input.FULL, Optional.empty());
    };
  }
}
