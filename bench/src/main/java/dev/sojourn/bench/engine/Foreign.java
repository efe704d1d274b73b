package dev.sojourn.bench.engine;

import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.Arrays;
import java.util.stream.Stream;

/**
 * Calls classes of a peer, whose code is the user's and not there when ours is compiled. What is
 * called is found by its name and number of arguments: peers add types of arguments more often than
 * they rename.
 */
final class Foreign {

  private Foreign() {}

  /** Returns the first class of these names that is there: peers move theirs to other packages. */
  static Class<?> type(String... names) throws ClassNotFoundException {
    ClassNotFoundException missing =
        new ClassNotFoundException(
            "there is no " + String.join(" or ", names) + ": not a version that we know");
    for (String name : names) {
      try {
        return Class.forName(name);
      } catch (ClassNotFoundException e) {
        missing.addSuppressed(e);
      }
    }
    throw missing;
  }

  /** Calls a method of an object, or, if it is a class, a static one. */
  static Object call(Object target, String name, Object... arguments)
      throws ReflectiveOperationException {
    boolean ofClass = target instanceof Class<?>;
    Class<?> type = target instanceof Class<?> itself ? itself : target.getClass();
    Method method =
        Stream.concat(Arrays.stream(type.getMethods()), Arrays.stream(type.getDeclaredMethods()))
            .filter(it -> it.getName().equals(name) && it.getParameterCount() == arguments.length)
            .filter(it -> !it.isBridge() && ofClass == Modifier.isStatic(it.getModifiers()))
            .findFirst()
            .orElseThrow(() ->
                new NoSuchMethodException(
                    type.getName()
                        + " has no method "
                        + name
                        + " of "
                        + arguments.length
                        + " arguments: not a version that we know"));
    method.setAccessible(true);
    Object result = method.invoke(ofClass ? null : target, arguments);
    return result == null ? "" : result;
  }
}
