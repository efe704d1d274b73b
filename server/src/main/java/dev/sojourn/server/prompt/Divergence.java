package dev.sojourn.server.prompt;

/**
 * Where a full prompt leaves what its session holds.
 *
 * @param token index of the first token that differs
 * @param cause likely cause, for people
 */
public record Divergence(int token, String cause) {}
