package dev.sojourn.cli;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;

/** Something the user can put right: shown as one line, without a stack trace. */
final class UserError extends RuntimeException {

  private static final long serialVersionUID = 1L;

  private final int exitCode;

  private UserError(int exitCode, String message) {
    super(message);
    this.exitCode = exitCode;
  }

  /**
   * Returns an error for what could not be done; the message says what was wrong and what to do.
   */
  static UserError failed(String message) {
    return new UserError(ExitCode.FAILED, message);
  }

  /** Returns an error for a setting that is wrong; the message says where it stands. */
  static UserError usage(String message) {
    return new UserError(ExitCode.USAGE, message);
  }

  /** Returns why a file could not be read or written, in words, without the names of classes. */
  static String reason(IOException e) {
    return switch (e) {
      case NoSuchFileException missing -> "there is no " + missing.getFile();
      case AccessDeniedException _ -> "permission denied";
      case FileAlreadyExistsException there -> there.getFile() + " is there and is no directory";
      case FileSystemException other when other.getReason() != null -> other.getReason();
      case CharacterCodingException _ -> "it is not text in UTF-8";
      default -> e.getMessage() == null ? "input or output failed" : e.getMessage();
    };
  }

  int exitCode() {
    return exitCode;
  }
}
