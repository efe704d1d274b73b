package dev.sojourn.bench;

/** The four ways in which {@link PressureBench} lets a main agent and its subagents live. */
public enum PressureWay {
  /** No sessions; what was used least recently goes first. */
  PLAIN_LRU("no sessions, LRU", false, false),
  /** No sessions; the main agent's pages have a higher priority. */
  PLAIN_PRIORITY("no sessions, priority", false, true),
  /** A session for each agent; the subagents' are closed at their ends. */
  SESSIONS("sessions", true, false),
  /** Sessions, and the main agent's pages have a higher priority. */
  SESSIONS_PRIORITY("sessions, priority", true, true);

  private final String label;
  private final boolean sessions;
  private final boolean priority;

  PressureWay(String label, boolean sessions, boolean priority) {
    this.label = label;
    this.sessions = sessions;
    this.priority = priority;
  }

  /** Returns what reports call it. */
  public String label() {
    return label;
  }

  /** Returns whether each agent has a session. */
  public boolean hasSessions() {
    return sessions;
  }

  /** Returns whether requests name their priority, and the gateway evicts by it. */
  public boolean hasPriority() {
    return priority;
  }
}
