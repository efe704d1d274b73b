/** Which rank serves a turn: bindings of sessions, lifecycle, prefix index, load, selection. */
module dev.sojourn.router {
  requires transitive dev.sojourn.core;
  requires static org.jspecify;

  exports dev.sojourn.router;
  exports dev.sojourn.router.affinity;
  exports dev.sojourn.router.lifecycle;
}
