package dev.sojourn.cli;

import java.net.URI;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.ArgSpec;
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
    List<String> similar = wrong.getSuggestions();
    boolean hasCommands = !wrong.getCommandLine().getSubcommands().isEmpty();
    String what =
        wrong.isUnknownOption()
            ? "there is no option '" + word + "'"
            : hasCommands ? "there is no command '" + word + "'" : "'" + word + "' is one too many";
    return similar.isEmpty() || (!hasCommands && !wrong.isUnknownOption())
        ? what
        : what + "; did you mean " + String.join(" or ", similar.stream().limit(2).toList()) + "?";
  }

  /** Returns the words that there are, and first the one that was probably meant, if any. */
  static String known(String word, Collection<String> words) {
    String all = "there are " + String.join(", ", words);
    int most = Math.min(3, word.length() / 2);
    return words.stream()
        .filter(other -> distance(word, other) <= most)
        .min(Comparator.comparingInt(other -> distance(word, other)))
        .map(nearest -> "did you mean " + nearest + "? " + all)
        .orElse(all);
  }

  /** Counts the characters to insert, remove or replace (Levenshtein 1966). */
  private static int distance(String from, String to) {
    int[] row = IntStream.rangeClosed(0, to.length()).toArray();
    for (int i = 1; i <= from.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= to.length(); j++) {
        int replaced = diagonal + (from.charAt(i - 1) == to.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(replaced, 1 + Math.min(row[j], row[j - 1]));
      }
    }
    return row[to.length()];
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
    if (type == int.class || type == Integer.class) {
      return "a whole number up to " + Integer.MAX_VALUE;
    } else if (type == long.class) {
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
