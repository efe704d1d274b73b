package dev.sojourn.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ConfigFileTest {

  @Test
  void parse_flatMapping_keepsValuesAndWhereTheyStand() {
    ConfigFile file = ConfigFile.parse("s.yaml", "# mine\nport: 8001\n\nmodel: a b.gguf\n");
    assertThat(file.entries())
        .isEqualTo(
            Map.of(
                "port", new ConfigFile.Entry("8001", "s.yaml:2:1"),
                "model", new ConfigFile.Entry("a b.gguf", "s.yaml:4:1")));
  }

  @Test
  void parse_nothing_setsNothing() {
    assertThat(ConfigFile.parse("s.yaml", "# only a comment\n").entries()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "'port: 1\nport: 2' | s.yaml:2",
        "'port: 1\nmodel: {a: b}' | s.yaml:2:1: 'model' takes one value",
        "'port: [1, 2]' | s.yaml:1:1: 'port' takes one value",
        "'port:' | s.yaml:1:1: 'port' takes one value",
        "'- port' | s.yaml:1:1: expected lines of the form key: value",
        "'port: 1\n---\nport: 2' | only one YAML document",
        "'port: 1\n  model: x' | s.yaml:2",
      })
  void parse_whatIsNotAFlatMapping_isOneLineWithItsPlace(String yaml, String message) {
    assertThatThrownBy(() -> ConfigFile.parse("s.yaml", yaml))
        .isInstanceOfSatisfying(
            UserError.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.USAGE))
        .message()
        .contains(message)
        .doesNotContain("\n");
  }

  @Test
  void read_missingFile_saysWhich(@TempDir Path directory) {
    Path file = directory.resolve("none.yaml");
    assertThatThrownBy(() -> ConfigFile.read(file))
        .isInstanceOf(UserError.class)
        .hasMessage("there is no configuration file " + file);
  }
}
