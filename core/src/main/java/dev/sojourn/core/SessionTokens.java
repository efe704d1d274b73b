package dev.sojourn.core;

/**
 * What a session has committed, to be computed again elsewhere.
 *
 * @param ids the committed tokens
 * @param lastPrompt how many of them are the last committed prompt; what follows was sampled
 * @param digest the digest of all
 */
public record SessionTokens(Tokens ids, int lastPrompt, long digest) {}
