package dev.sojourn.text;

/** A vocabulary that no tokenizer can be built from; the message says what is wrong with it. */
public final class VocabularyException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  VocabularyException(String message) {
    super(message);
  }

  VocabularyException(String message, Throwable cause) {
    super(message, cause);
  }
}
