package dev.sojourn.server.prompt;

/**
 * The last turn of a transcript, for a client that sends it once more because it never saw the
 * answer.
 *
 * @param tipBefore the committed length before it
 * @param digestBefore the digest of what was committed before it
 * @param question what it asked; equal to what asks the same
 * @param answer what it was answered, in the words of the room that answers
 * @param bytes about how much memory it takes
 */
public record LastTurn(
    int tipBefore, long digestBefore, Object question, Object answer, long bytes) {}
