package dev.sojourn.server.prompt;

/**
 * What a template writes behind all that a session holds.
 *
 * @param text to be laid behind it
 * @param rendered how many characters the template wrote to find out
 */
record Continuation(String text, int rendered) {}
