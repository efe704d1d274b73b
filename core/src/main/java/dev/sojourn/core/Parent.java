package dev.sojourn.core;

/**
 * Another session that one was started from.
 *
 * @param id which session
 * @param incarnation which life of it
 * @param shares whether the child starts with the parent's committed context, which is a fork, or
 *     only belongs to it
 */
public record Parent(SessionId id, Incarnation incarnation, boolean shares) {}
