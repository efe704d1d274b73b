package dev.sojourn.server.openai;

import dev.sojourn.server.prompt.Prompt;
import dev.sojourn.server.prompt.Transcript;
import java.util.Optional;

/**
 * What was sent, and to whom.
 *
 * @param transcript what the prompt was built from, and the answer is kept in
 */
record Dispatched(Prompt prompt, Optional<Transcript> transcript, Dispatch.Sent sent) {}
