package dev.sojourn.server.http;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.net.URLDecoder;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;

/**
 * Which handler answers which method and path. A pattern is a path in which <code>{name}</code>
 * stands for one segment and, at the end, <code>{name+}</code> for all that is left, slashes
 * included. The first route that matches wins. Immutable once built.
 */
public final class Routes {

  /** A route that matched, with the values of its pattern's names, percent-decoded. */
  record Match(Route route, Map<String, String> parameters) {}

  /** One line of the table. */
  record Route(
      String method, String pattern, List<String> segments, Handler handler, boolean drains) {

    Optional<Map<String, String>> match(List<String> path) {
      Map<String, String> parameters = new LinkedHashMap<>();
      for (int i = 0; i < segments.size(); i++) {
        String segment = segments.get(i);
        if (segment.endsWith("+}")) {
          if (path.size() <= i) {
            return Optional.empty();
          }
          String rest = String.join("/", path.subList(i, path.size()));
          parameters.put(segment.substring(1, segment.length() - 2), decode(rest));
          return Optional.of(parameters);
        }
        if (i >= path.size()) {
          return Optional.empty();
        }
        if (segment.startsWith("{")) {
          parameters.put(segment.substring(1, segment.length() - 1), decode(path.get(i)));
        } else if (!segment.equals(path.get(i))) {
          return Optional.empty();
        }
      }
      return path.size() == segments.size() ? Optional.of(parameters) : Optional.empty();
    }
  }

  private final List<Route> routes = new ArrayList<>();

  /** Adds a route; returns this. Call before the server starts. */
  public Routes on(String method, String pattern, Handler handler) {
    routes.add(new Route(method, pattern, split(pattern), handler, false));
    return this;
  }

  /** As {@link #on}, but the route is answered also while the server drains. */
  public Routes onToTheEnd(String method, String pattern, Handler handler) {
    routes.add(new Route(method, pattern, split(pattern), handler, true));
    return this;
  }

  /** Returns whether a request is answered also while the server drains. */
  boolean drains(String method, String path) {
    try {
      return find(method, path).filter(match -> match.route().drains()).isPresent();
    } catch (IllegalArgumentException malformedEscape) {
      return false;
    }
  }

  /** Returns the route of a request. A HEAD request is answered by the route for GET. */
  Optional<Match> find(String method, String path) {
    String wanted = method.equals("HEAD") ? "GET" : method;
    List<String> segments = split(path);
    for (Route route : routes) {
      if (route.method().equals(wanted)) {
        Optional<Map<String, String>> parameters = route.match(segments);
        if (parameters.isPresent()) {
          return Optional.of(new Match(route, parameters.get()));
        }
      }
    }
    return Optional.empty();
  }

  /** Returns the methods that a path has; none where there is no such path. */
  List<String> methods(String path) {
    List<String> segments = split(path);
    TreeSet<String> methods = new TreeSet<>();
    for (Route route : routes) {
      if (route.match(segments).isPresent()) {
        methods.add(route.method());
        if (route.method().equals("GET")) {
          methods.add("HEAD");
        }
      }
    }
    return List.copyOf(methods);
  }

  private static List<String> split(String path) {
    return List.of(path.split("/", -1));
  }

  /** Percent-decodes; unlike in a form, a plus is a plus. */
  private static String decode(String encoded) {
    return encoded.indexOf('%') < 0
        ? encoded
        : URLDecoder.decode(encoded.replace("+", "%2B"), UTF_8);
  }
}
