package dev.sojourn.cli;

import java.net.URI;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
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
