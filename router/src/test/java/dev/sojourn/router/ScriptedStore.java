package dev.sojourn.router;

import dev.sojourn.router.affinity.AffinityStore;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.function.Consumer;

/** A store between whose operations things happen, and which fails as a test tells it to. */
final class ScriptedStore {

  private final AffinityStore store;

  /** Hears an operation's name before it is done; may throw in its place. */
  Consumer<String> before = _ -> {};

  /** Hears an operation's name when it has been done. */
  Consumer<String> after = _ -> {};

  ScriptedStore(AffinityStore behind) {
    store =
        (AffinityStore)
            Proxy.newProxyInstance(
                ScriptedStore.class.getClassLoader(),
                new Class<?>[] {AffinityStore.class},
                (_, operation, arguments) -> {
                  before.accept(operation.getName());
                  try {
                    Object done = operation.invoke(behind, arguments);
                    after.accept(operation.getName());
                    return done;
                  } catch (InvocationTargetException e) {
                    throw e.getCause();
                  }
                });
  }

  AffinityStore store() {
    return store;
  }
}
