package dev.sojourn.bench;

/** The three ways in which an agent can send its turns. */
public enum Way {
  /** No session: each request holds the whole conversation, and the prefix cache finds it again. */
  STATELESS("stateless"),
  /** A session; each request holds the whole conversation, as OpenAI clients send it. */
  SESSION_FULL("session, full prompts"),
  /** A session; each request holds only what is new. */
  SESSION_DELTA("session, deltas");

  private final String label;

  Way(String label) {
    this.label = label;
  }

  /** Returns what reports call it. */
  public String label() {
    return label;
  }
}
