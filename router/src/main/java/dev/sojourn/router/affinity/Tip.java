package dev.sojourn.router.affinity;

/**
 * How far a session had got when its last turn was committed, as its engine told it.
 *
 * @param length of what is committed, in tokens
 * @param digest of those
 */
public record Tip(int length, long digest) {}
