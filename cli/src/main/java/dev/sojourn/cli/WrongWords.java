package dev.sojourn.cli;

import java.net.URI;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.TypeConversionException;
import picocli.CommandLine.UnmatchedArgumentException;

/** What is said about words of a command line that cannot be understood. */
final class WrongWords {

  private WrongWords() {}

  /** Returns one line, for a person. */
  static String message(ParameterException wrong) {
    if (wrong instanceof UnmatchedArgumentException unmatched) {
      return unmatched(unmatched);
    }
    ArgSpec argument = wrong.getArgSpec();
    String value = wrong.getValue();
    if (argument != null && value != null && isConversion(wrong)) {
      return name(argument) + " is " + kind(argument.auxiliaryTypes()[0]) + ", not '" + value + "'";
    }
    return String.valueOf(wrong.getMessage()).lines().findFirst().orElse("");
  }

  private static String unmatched(UnmatchedArgumentException wrong) {
    String word = wrong.getUnmatched().getFirst();
    CommandSpec command = wrong.getCommandLine().getCommandSpec();
    boolean hasCommands = !command.subcommands().isEmpty();
    if (wrong.isUnknownOption()) {
      List<String> options =
          command.options().stream().flatMap(option -> Arrays.stream(option.names())).toList();
      return "there is no option '" + word + "'" + meant(word, options);
    }
    return hasCommands
        ? "there is no command '" + word + "'" + meant(word, command.subcommands().keySet())
        : "'" + word + "' is one too many";
  }

  private static String meant(String word, Collection<String> words) {
    return nearest(word, words).map(nearest -> "; did you mean " + nearest + "?").orElse("");
  }

  /** Returns the words that there are, and first the one that was probably meant, if any. */
  static String known(String word, Collection<String> words) {
    String all = "there are " + String.join(", ", words);
    return nearest(word, words).map(nearest -> "did you mean " + nearest + "? " + all).orElse(all);
  }

  private static Optional<String> nearest(String word, Collection<String> words) {
    int most = 2 * Math.min(3, word.length() / 2);
    return words.stream()
        .filter(other -> distance(word, other) <= most)
        .min(Comparator.comparingInt(other -> distance(word, other)));
  }

  /**
   * Returns how far apart two words are: 2 for each character to insert, remove or replace, and 1
   * for two neighbours that change places, the likeliest slip (Damerau 1964).
   */
  private static int distance(String from, String to) {
    int[][] table = new int[from.length() + 1][to.length() + 1];
    for (int i = 0; i <= from.length(); i++) {
      for (int j = 0; j <= to.length(); j++) {
        if (i == 0 || j == 0) {
          table[i][j] = 2 * (i + j);
          continue;
        }
        boolean same = from.charAt(i - 1) == to.charAt(j - 1);
        int replaced = table[i - 1][j - 1] + (same ? 0 : 2);
        table[i][j] = Math.min(replaced, 2 + Math.min(table[i - 1][j], table[i][j - 1]));
        if (i > 1
            && j > 1
            && from.charAt(i - 1) == to.charAt(j - 2)
            && from.charAt(i - 2) == to.charAt(j - 1)) {
          table[i][j] = Math.min(table[i][j], table[i - 2][j - 2] + 1);
        }
      }
    }
    return table[from.length()][to.length()];
  }

  private static boolean isConversion(ParameterException wrong) {
    return wrong.getCause() instanceof TypeConversionException
        || String.valueOf(wrong.getMessage()).startsWith("Invalid value for ")
        || String.valueOf(wrong.getMessage()).contains("cannot convert");
  }

  private static String name(ArgSpec argument) {
    return argument instanceof OptionSpec option ? option.longestName() : argument.paramLabel();
  }

  private static String kind(@Nullable Class<?> type) {
    if (type == int.class || type == Integer.class || type == long.class) {
      return "a whole number";
    } else if (type == double.class) {
      return "a number";
    } else if (type == boolean.class) {
      return "true or false";
    } else if (type == URI.class) {
      return "an address, such as http://127.0.0.1:8000";
    } else if (type == Path.class) {
      return "a file's path";
    } else if (type != null && type.isEnum()) {
      return "one of "
          + Arrays.stream(type.getEnumConstants())
              .map(value -> value.toString().toLowerCase(Locale.ROOT))
              .collect(Collectors.joining(", "));
    }
    return "something else";
  }
}
