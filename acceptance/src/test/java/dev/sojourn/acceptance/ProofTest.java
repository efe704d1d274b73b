package dev.sojourn.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The tests that {@code docs/proof.md} names exist, and none of the races is left out there. */
class ProofTest {

  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
  private static final Pattern NAMED = Pattern.compile("`(\\w+Test)(?:\\.(\\w+))?`");
  private static final Pattern RACE = Pattern.compile("^\\| (\\d+) \\|", Pattern.MULTILINE);

  @Test
  void testsThatAreNamed_exist() throws IOException {
    List<MatchResult> named = NAMED.matcher(proof()).results().toList();
    assertThat(named).hasSizeGreaterThan(60);
    List<String> missing = new ArrayList<>();
    for (MatchResult test : named) {
      List<String> sources = sources(test.group(1));
      String method = test.group(2);
      if (sources.stream().noneMatch(s -> method == null || s.contains("void " + method + "("))) {
        missing.add(test.group());
      }
    }
    assertThat(missing).isEmpty();
  }

  @Test
  void races_areAllThere_eachWithATest() throws IOException {
    List<Integer> races =
        RACE.matcher(proof()).results().map(race -> Integer.valueOf(race.group(1))).toList();
    assertThat(races).containsExactlyElementsOf(IntStream.rangeClosed(1, 24).boxed().toList());
    assertThat(proof().lines().filter(line -> RACE.matcher(line).find()))
        .allSatisfy(line -> assertThat(NAMED.matcher(line).find()).as(line).isTrue());
  }

  private static String proof() throws IOException {
    return Files.readString(ROOT.resolve("docs/proof.md"));
  }

  /** Returns the sources of all test classes of a name: some rooms use the same one. */
  private static List<String> sources(String name) throws IOException {
    List<String> sources = new ArrayList<>();
    try (Stream<Path> rooms = Files.list(ROOT)) {
      for (Path room : rooms.map(r -> r.resolve("src/test/java")).filter(Files::exists).toList()) {
        try (Stream<Path> files = Files.walk(room)) {
          for (Path file : files.filter(f -> f.endsWith(name + ".java")).toList()) {
            sources.add(Files.readString(file));
          }
        }
      }
    }
    return sources;
  }
}
