package dev.sojourn.bench.engine;

import dev.sojourn.engine.model.KvType;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * How each side is started, for one model and number of threads.
 *
 * @param model the file that all sides load
 * @param threads that each computes with
 * @param scratch a directory for what sides write; the caller's to delete
 */
public record Peers(Path model, int threads, Path scratch) {

  /** What makes a directory in which llama.cpp is found. */
  public static final String LLAMA_CPP_INSTALL =
      "npm install --prefix DIR --ignore-scripts node-llama-cpp @node-llama-cpp/linux-x64";

  /** Thrown where what a peer needs is not there; the message says what, for a person. */
  public static final class NotFoundException extends Exception {

    private static final long serialVersionUID = 1L;

    NotFoundException(String message) {
      super(message);
    }
  }

  /** Returns our own engine with such KV, in a JVM with the arguments of this one. */
  public Side sojourn(KvType kvType) {
    return new Side(
        "sojourn",
        java(
            ownArguments(),
            System.getProperty("java.class.path"),
            SojournSide.class,
            model.toString(),
            String.valueOf(threads),
            kvType.name()),
        false);
  }

  /**
   * Returns llama.cpp, as Node's package {@code node-llama-cpp} holds it.
   *
   * @param directory where {@code node_modules} is
   */
  public Side llamaCpp(Path directory) throws NotFoundException {
    Path modules = directory.resolve("node_modules").toAbsolutePath();
    if (!Files.isDirectory(modules.resolve("node-llama-cpp"))) {
      throw new NotFoundException(
          "there is no node-llama-cpp in "
              + modules
              + "; install it with '"
              + LLAMA_CPP_INSTALL
              + "' and say --vs llama.cpp=DIR");
    }
    // Node finds a package from where the script that asks for it stands.
    Path driver = write("llama-cpp.mjs", "llama-cpp.mjs");
    return new Side(
        "llama.cpp",
        List.of(
            "node",
            driver.toString(),
            modules.toUri().toString(),
            model.toAbsolutePath().toString(),
            String.valueOf(threads),
            scratch.toString()),
        true);
  }

  /**
   * Returns jinfer, by its public classes, with its kernels in Java.
   *
   * @param jar jinfer and all that it needs
   */
  public Side jinfer(Path jar) throws NotFoundException {
    requireFile(jar, "jinfer's jar");
    List<String> arguments = new ArrayList<>(peerArguments());
    arguments.add("-Djinfer.computeThreads=" + threads);
    arguments.add("-Djinfer.decodeThreads=" + threads);
    arguments.add("-Djam.threads=" + threads);
    arguments.add("-Djam.native.disabled=true"); // leaves it its kernels in Java
    return new Side("jinfer", javaWith(arguments, jar, JinferSide.class), true);
  }

  /**
   * Returns llama3.java.
   *
   * @param source its one file
   */
  public Side llama3Java(Path source) throws NotFoundException, InterruptedException {
    requireFile(source, "llama3.java's source");
    Path classes = scratch.resolve("llama3-classes");
    Path log = scratch.resolve("llama3-javac.log");
    try {
      Process javac =
          new ProcessBuilder(
                  program("javac"),
                  "--release=" + Runtime.version().feature(),
                  "--enable-preview",
                  "--add-modules=jdk.incubator.vector",
                  "-nowarn",
                  "-d",
                  classes.toString(),
                  source.toString())
              .redirectErrorStream(true)
              .redirectOutput(log.toFile())
              .start();
      if (javac.waitFor() != 0) {
        throw new NotFoundException(
            source
                + " cannot be compiled: "
                + Files.readString(log).lines().findFirst().orElse("javac does not say why"));
      }
    } catch (IOException e) {
      throw new NotFoundException(source + " cannot be compiled: " + e.getMessage());
    }
    return new Side("llama3.java", javaWith(peerArguments(), classes, Llama3Side.class), false);
  }

  private static void requireFile(Path file, String what) throws NotFoundException {
    if (!Files.isRegularFile(file) || !Files.isReadable(file)) {
      throw new NotFoundException(what + " is a file that can be read, not " + file);
    }
  }

  private List<String> javaWith(List<String> arguments, Path more, Class<?> main) {
    String path =
        more + System.getProperty("path.separator") + System.getProperty("java.class.path");
    return java(arguments, path, main, model.toString(), String.valueOf(threads));
  }

  private static List<String> java(
      List<String> arguments, String classPath, Class<?> main, String... words) {
    return Stream.of(
            List.of(program("java")),
            arguments,
            List.of("-cp", classPath, main.getName()),
            Arrays.asList(words))
        .flatMap(List::stream)
        .toList();
  }

  private static String program(String name) {
    return Path.of(System.getProperty("java.home"), "bin", name).toString();
  }

  private static List<String> ownArguments() {
    return ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
        .filter(argument -> !argument.startsWith("-agent") && !argument.startsWith("-javaagent"))
        .toList();
  }

  /**
   * What both Java peers are run with by their users, and threads: they share work out by the
   * common pool, whose caller computes too (with a parallelism of 0 alone).
   */
  private List<String> peerArguments() {
    return List.of(
        "--enable-preview",
        "-Djdk.incubator.vector.VECTOR_ACCESS_OOB_CHECK=0",
        "--add-modules=jdk.incubator.vector",
        "--enable-native-access=ALL-UNNAMED",
        "--sun-misc-unsafe-memory-access=allow",
        "-Djava.util.concurrent.ForkJoinPool.common.parallelism=" + (threads - 1));
  }

  private Path write(String resource, String name) {
    try (InputStream in = Peers.class.getResourceAsStream(resource)) {
      Path file = scratch.resolve(name);
      Files.copy(Objects.requireNonNull(in, resource), file);
      return file;
    } catch (IOException e) {
      throw new UncheckedIOException("the driver of llama.cpp cannot be written", e);
    }
  }
}
