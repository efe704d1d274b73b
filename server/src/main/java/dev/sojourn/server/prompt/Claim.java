package dev.sojourn.server.prompt;

/** What a prompt is to its session, as far as that can be told from what is held here of it. */
enum Claim {

  /** It goes on from the session, or from the end of one of its turns. */
  GOES_ON,

  /** It belongs to the session, which begins anew with it where they share no end of a turn. */
  RESTARTS,

  /** It is a side request: they share too little. */
  ASIDE,

  /** Only who holds what was said can tell: too little of that is known here. */
  DOUBTFUL
}
