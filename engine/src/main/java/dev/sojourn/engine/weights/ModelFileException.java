package dev.sojourn.engine.weights;

import java.nio.file.Path;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Something is wrong with a model file. The message is one line for a person: the file, the byte
 * where it went wrong, what was expected there and what was found.
 */
public abstract sealed class ModelFileException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  private static final int MOST_CHARACTERS = 500;

  /** What would end the line, command the terminal, or turn the text around. */
  private static final Pattern UNPRINTABLE =
      Pattern.compile("[\\p{Cc}\\p{Cf}\\p{Cs}\\p{Zl}\\p{Zp}]");

  private final transient Path file;
  private final transient OptionalLong offset;
  private final String expected;
  private final String found;

  private ModelFileException(Path file, OptionalLong offset, String expected, String found) {
    super(
        printable(file.toString())
            + (offset.isPresent() ? ", byte " + offset.getAsLong() : "")
            + ": expected "
            + printable(expected)
            + ", found "
            + printable(found));
    this.file = file;
    this.offset = offset;
    this.expected = printable(expected);
    this.found = printable(found);
  }

  /**
   * Returns a text for people to read, as one line: names and values come from the file, which may
   * be anybody's; so may its own name.
   */
  static String printable(String text) {
    int half = MOST_CHARACTERS / 2;
    String most =
        text.length() <= MOST_CHARACTERS
            ? text
            : text.substring(0, half) + "..." + text.substring(text.length() - half);
    return UNPRINTABLE
        .matcher(most)
        .replaceAll(
            found -> Matcher.quoteReplacement("\\u%04x".formatted(found.group().codePointAt(0))));
  }

  /** Returns the file. */
  public Path file() {
    return file;
  }

  /** Returns where in the file, in bytes from its start, if it is about one place. */
  public OptionalLong offset() {
    return offset;
  }

  /** Returns what would have been right. */
  public String expected() {
    return expected;
  }

  /** Returns what was there instead. */
  public String found() {
    return found;
  }

  /** The file cannot be read at all: it is missing, a directory, or not ours to read. */
  public static final class Unreadable extends ModelFileException {
    private static final long serialVersionUID = 1L;

    Unreadable(Path file, String found) {
      this(file, "a readable model file", found);
    }

    Unreadable(Path file, String expected, String found) {
      super(file, OptionalLong.empty(), expected, found);
    }
  }

  /** The file is of another format. */
  public static final class Foreign extends ModelFileException {
    private static final long serialVersionUID = 1L;

    Foreign(Path file, String expected, String found) {
      this(file, OptionalLong.of(0), expected, found);
    }

    Foreign(Path file, OptionalLong offset, String expected, String found) {
      super(file, offset, expected, found);
    }
  }

  /** The file ends before all that it says it holds: a download or a copy that did not finish. */
  public static final class Truncated extends ModelFileException {
    private static final long serialVersionUID = 1L;

    Truncated(Path file, String atLeast, long expected, long found) {
      super(
          file,
          OptionalLong.empty(),
          atLeast + expected + " bytes",
          found + ": the file seems cut short; download or copy it again");
    }
  }

  /** The file is damaged, or contradicts itself or another file of its model. */
  public static final class Malformed extends ModelFileException {
    private static final long serialVersionUID = 1L;

    Malformed(Path file, OptionalLong offset, String expected, String found) {
      super(file, offset, expected, found);
    }

    Malformed(Path file, long offset, String expected, String found) {
      this(file, OptionalLong.of(offset), expected, found);
    }

    Malformed(Path file, String expected, String found) {
      this(file, OptionalLong.empty(), expected, found);
    }
  }

  /** The file may be sound, but needs something that is not supported yet. */
  public static final class Unsupported extends ModelFileException {
    private static final long serialVersionUID = 1L;

    Unsupported(Path file, OptionalLong offset, String supported, String found) {
      super(file, offset, supported, found + ", which is not supported yet");
    }
  }

  /** The file cannot be written. */
  public static final class Unwritable extends ModelFileException {
    private static final long serialVersionUID = 1L;

    Unwritable(Path file, String expected, String found) {
      super(file, OptionalLong.empty(), expected, found);
    }
  }
}
