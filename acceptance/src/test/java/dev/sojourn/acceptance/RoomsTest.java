package dev.sojourn.acceptance;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Who may use whom: the table of {@code docs/architecture.md}. JPMS refuses what a module does not
 * require; this refuses that a module requires what its row does not name, and guards lines that
 * run inside a module.
 */
class RoomsTest {

  private static final Map<String, Set<String>> MAY_USE = new LinkedHashMap<>();

  static {
    MAY_USE.put("core", Set.of());
    MAY_USE.put("text", Set.of("core"));
    MAY_USE.put("engine", Set.of("core", "text"));
    MAY_USE.put("router", Set.of("core"));
    MAY_USE.put("backend", Set.of("core", "text", "engine", "router"));
    MAY_USE.put("server", Set.of("core", "text", "engine", "router", "backend"));
    MAY_USE.put("bench", Set.of("core", "text", "engine", "router", "backend", "server"));
    MAY_USE.put("cli", Set.of("core", "text", "engine", "router", "backend", "server", "bench"));
  }

  private static JavaClasses house;

  @BeforeAll
  static void readClasses() {
    house =
        new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .withImportOption(location -> !location.contains("-tests.jar"))
            .importPackages("dev.sojourn");
  }

  @Test
  void everyRoom_isInTheTable() {
    Set<String> rooms = new TreeSet<>();
    for (JavaClass one : house) {
      rooms.add(one.getPackageName().replaceFirst("dev\\.sojourn\\.([a-z]+).*", "$1"));
    }
    rooms.remove("acceptance");
    assertThat(rooms).isEqualTo(new TreeSet<>(MAY_USE.keySet()));
  }

  static List<String> rooms() {
    return List.copyOf(MAY_USE.keySet());
  }

  @ParameterizedTest
  @MethodSource("rooms")
  void room_usesOnlyWhatItsRowNames(String room) {
    Set<String> allowed = MAY_USE.get(room);
    String[] forbidden =
        MAY_USE.keySet().stream()
            .filter(other -> !other.equals(room) && !allowed.contains(other))
            .map(other -> "dev.sojourn." + other + "..")
            .toArray(String[]::new);
    if (forbidden.length > 0) {
      noClasses()
          .that()
          .resideInAPackage("dev.sojourn." + room + "..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(forbidden)
          .check(house);
    }
  }

  @Test
  void netty_staysInItsRoom() {
    noClasses()
        .that()
        .resideOutsideOfPackage("dev.sojourn.server.http..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("io.netty..")
        .check(house);
  }

  @Test
  void gateway_isPutTogetherFromParts_thatDoNotKnowIt() {
    noClasses()
        .that()
        .resideInAPackage("dev.sojourn.server.*..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("dev.sojourn.server")
        .check(house);
    slices().matching("dev.sojourn.server.(*)..").should().beFreeOfCycles().check(house);
  }

  @Test
  void engine_knowsNoProtocol() {
    noClasses()
        .that()
        .resideInAnyPackage("dev.sojourn.engine..", "dev.sojourn.router..", "dev.sojourn.core..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("java.net.http..", "com.sun.net..")
        .check(house);
    noClasses()
        .that()
        .resideInAnyPackage("dev.sojourn.engine..", "dev.sojourn.router..", "dev.sojourn.core..")
        .and()
        .resideOutsideOfPackage("dev.sojourn.engine.weights..") // checkpoints describe themselves
        .should()
        .dependOnClassesThat()
        .resideInAPackage("tools.jackson..")
        .check(house);
  }

  @Test
  void clocks_areReadInCoreAlone() {
    noClasses()
        .that()
        .resideOutsideOfPackage("dev.sojourn.core..")
        .should()
        .callMethod(System.class, "nanoTime")
        .orShould()
        .callMethod(System.class, "currentTimeMillis")
        .orShould()
        .callMethod(java.time.Instant.class, "now")
        .orShould()
        .callMethod(java.time.LocalDateTime.class, "now")
        .orShould()
        .callMethod(java.time.ZonedDateTime.class, "now")
        .orShould()
        .callMethod(Thread.class, "sleep", long.class)
        .orShould()
        .callMethod(Thread.class, "sleep", java.time.Duration.class)
        .check(house);
  }

  @Test
  void scheduleAndCache_knowNoModel() {
    noClasses()
        .that()
        .resideInAnyPackage("dev.sojourn.engine.kv..", "dev.sojourn.engine.schedule..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("dev.sojourn.engine.kernel..", "dev.sojourn.engine.weights..")
        .check(house);
  }
}
