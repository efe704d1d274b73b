package dev.sojourn.cli;

import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.IDefaultValueProvider;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/**
 * Where the value of an option comes from when no flag gives it: the environment, then the
 * configuration file, then the default that its declaration states. This is the only place that
 * knows the order, for every option of every command.
 *
 * <p>{@code --kv-tokens} is {@code SOJOURN_KV_TOKENS} in the environment and {@code kv-tokens} in
 * the file. An environment variable that is set to nothing counts as not set. A command whose
 * {@code --config} was given rejects keys that are none of its options; every command rejects
 * variables that only look like ours.
 */
final class Settings implements IDefaultValueProvider {

  /** The option that names the file; it cannot stand in the file. */
  static final String CONFIG = "--config";

  private static final String PREFIX = "SOJOURN_";

  private static final String LOG_LEVEL = "SOJOURN_LOG_LEVEL";
  private static final List<String> LEVELS = List.of("INFO", "DEBUG");

  /** Read by the launcher, the logging, the cache of our own model, and the tests. */
  private static final Set<String> NOT_OPTIONS =
      Set.of("SOJOURN_JAVA_HOME", "SOJOURN_JVM_ARGS", LOG_LEVEL, "SOJOURN_CACHE", "SOJOURN_PYTHON");

  private final Map<String, String> environment;
  private final ConfigFile file;
  private final Map<OptionSpec, String> origins = new HashMap<>();

  Settings(Map<String, String> environment, ConfigFile file) {
    this.environment = environment;
    this.file = file;
  }

  @Override
  public @Nullable String defaultValue(ArgSpec argument) {
    if (!(argument instanceof OptionSpec option) || option.usageHelp() || option.versionHelp()) {
      return argument.defaultValue();
    }
    String variable = variable(option.longestName());
    String value = environment.get(variable);
    if (value != null && !value.isEmpty()) {
      origins.put(option, variable);
      return value;
    }
    if (takesConfig(option.command())) {
      ConfigFile.Entry entry = file.entries().get(key(option.longestName()));
      if (entry != null) {
        origins.put(option, entry.where());
        return entry.value();
      }
    }
    return option.defaultValue();
  }

  /** Returns where an option's value was read, if not from a flag. */
  Optional<String> origin(ArgSpec argument) {
    return argument instanceof OptionSpec option
        ? Optional.ofNullable(origins.get(option))
        : Optional.empty();
  }

  /**
   * Checks that the file sets nothing but options of this command.
   *
   * @throws UserError at the first key that is none
   */
  void checkKeys(CommandSpec command) {
    if (!takesConfig(command)) {
      return;
    }
    TreeSet<String> known = new TreeSet<>();
    for (OptionSpec option : command.options()) {
      if (!option.usageHelp() && !option.longestName().equals(CONFIG)) {
        known.add(key(option.longestName()));
      }
    }
    file.entries()
        .forEach((key, entry) -> {
          if (!known.contains(key)) {
            throw UserError.usage(
                "%s: there is no setting '%s'; %s"
                    .formatted(entry.where(), key, WrongWords.known(key, known)));
          }
        });
  }

  /**
   * Checks that every variable of the environment that begins as ours do is one of ours, and those
   * that are no options.
   *
   * @param root the command with all its subcommands
   * @throws UserError at the first that is not
   */
  void checkEnvironment(CommandSpec root) {
    TreeSet<String> known = new TreeSet<>(NOT_OPTIONS);
    addVariables(root, known);
    for (String variable : new TreeSet<>(environment.keySet())) {
      if (variable.startsWith(PREFIX) && !known.contains(variable)) {
        throw UserError.usage(
            variable + ": there is no such setting; " + WrongWords.known(variable, known));
      }
    }
    String level = environment.getOrDefault(LOG_LEVEL, "");
    if (!level.isEmpty() && !LEVELS.contains(level.toUpperCase(Locale.ROOT))) {
      throw UserError.usage(
          LOG_LEVEL + " is " + String.join(" or ", LEVELS) + ", not '" + level + "'");
    }
  }

  private static void addVariables(CommandSpec command, Set<String> variables) {
    for (OptionSpec option : command.options()) {
      if (!option.usageHelp() && !option.versionHelp()) {
        variables.add(variable(option.longestName()));
      }
    }
    for (CommandLine subcommand : command.subcommands().values()) {
      addVariables(subcommand.getCommandSpec(), variables);
    }
  }

  /** Returns the environment variable of an option. */
  static String variable(String option) {
    return PREFIX + key(option).replace('-', '_').toUpperCase(Locale.ROOT);
  }

  private static String key(String option) {
    return option.substring(2);
  }

  private static boolean takesConfig(CommandSpec command) {
    return command.findOption(CONFIG) != null;
  }
}
