package dev.sojourn.cli;

import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;

/** Checks of numbers that options were given; errors name the option and where it was set. */
record Bounds(CommandLine command) {

  /** Rejects a value outside {@code least} … {@code most}. */
  void between(String option, double value, double least, double most) {
    if (!(value >= least && value <= most)) {
      throw wrong(option, "is " + plain(least) + " to " + plain(most) + ", not " + plain(value));
    }
  }

  /** Rejects a value outside {@code least} … {@code most}; one left out stands for its default. */
  void betweenIfGiven(String option, @Nullable Integer value, int least, int most) {
    if (value != null && (value < least || value > most)) {
      throw wrong(
          option,
          "is " + least + " to " + most + ", not " + value + "; leave it out for the default");
    }
  }

  /** Returns the error for an option whose value {@code isWrong}. */
  ParameterException wrong(String option, String isWrong) {
    return new ParameterException(
        command, option + " " + isWrong, command.getCommandSpec().findOption(option), null);
  }

  private static String plain(double value) {
    return value == Math.rint(value) ? String.valueOf((long) value) : String.valueOf(value);
  }
}
