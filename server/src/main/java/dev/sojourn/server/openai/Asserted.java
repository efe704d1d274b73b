package dev.sojourn.server.openai;

/**
 * A value, and the field or header that says it, to name it in a message.
 *
 * @param <T> what is said
 */
record Asserted<T>(String field, T value) {}
