package dev.sojourn.core;

/**
 * What an engine session has when it is opened: nothing, unless it was open already or was forked.
 *
 * @param committed tokens committed
 * @param resident of them, tokens whose KV is resident
 * @param digest the digest of the committed tokens; 0 of none
 */
public record Opened(int committed, int resident, long digest) {}
