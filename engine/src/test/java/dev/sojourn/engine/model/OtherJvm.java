package dev.sojourn.engine.model;

import java.io.File;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Runs test programs in JVMs of their own, for what is fixed when a JVM starts. */
final class OtherJvm {

  private OtherJvm() {}

  /** How a program ended, and what it wrote to its output and errors. */
  record Outcome(int exitCode, String output) {}

  /** Runs the main method of a test class, which finds the classes that are found here. */
  static Outcome run(Class<?> main, List<String> options, String... arguments)
      throws IOException, InterruptedException {
    Path here = classes();
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("--add-modules", "jdk.incubator.vector"));
    command.add("--enable-native-access=ALL-UNNAMED");
    command.addAll(options);
    command.add("-cp");
    command.add(
        String.join(
            File.pathSeparator,
            here.resolveSibling("test-classes").toString(),
            here.toString(),
            System.getProperty("jdk.module.path", ""),
            System.getProperty("java.class.path")));
    command.add(main.getName());
    command.addAll(List.of(arguments));
    Path output = Files.createTempFile("other-jvm", ".txt");
    try {
      Process process =
          new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(output.toFile())
              .start();
      int exitCode = process.waitFor();
      return new Outcome(exitCode, Files.readString(output, StandardCharsets.UTF_8));
    } finally {
      Files.delete(output);
    }
  }

  /** Returns where the engine's classes are. */
  private static Path classes() {
    try {
      return Path.of(LoadedModel.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    } catch (URISyntaxException e) {
      throw new AssertionError(e);
    }
  }
}
