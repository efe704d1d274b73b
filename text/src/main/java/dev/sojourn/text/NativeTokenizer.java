package dev.sojourn.text;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import dev.sojourn.core.Tokens;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Locale;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * A tokenizer of Hugging Face's Rust library, by way of the JNI binding in DJL's jar; the owner of
 * its native memory.
 *
 * <p>We load the library ourselves and call the binding, not DJL's front: that one asks a cloud's
 * metadata address whether it runs there, looks for CUDA, unpacks under the home directory, and
 * copies eight arrays per call where we want one (docs/decisions/0045). Thread-safe: closing waits
 * for calls that run, and later calls fail.
 */
final class NativeTokenizer implements AutoCloseable {

  private final ReadWriteLock lock = new ReentrantReadWriteLock();
  private long handle;

  /** Creates a tokenizer from the text of a {@code tokenizer.json}. */
  NativeTokenizer(String json) {
    try {
      handle = Library.binding().createTokenizerFromString(json);
    } catch (RuntimeException e) {
      throw new VocabularyException("the vocabulary contradicts itself: " + e.getMessage(), e);
    }
  }

  /** Returns the ids of a text. */
  Tokens encode(String text) {
    lock.readLock().lock();
    try {
      long encoding = Library.binding().encode(open(), text, false);
      try {
        return Tokens.of(narrow(Library.binding().getTokenIds(encoding)));
      } finally {
        Library.binding().deleteEncoding(encoding);
      }
    } finally {
      lock.readLock().unlock();
    }
  }

  /** Returns the text of ids, as the library itself decodes them. */
  String decode(Tokens ids) {
    lock.readLock().lock();
    try {
      return Library.binding().decode(open(), ids.stream().asLongStream().toArray(), false);
    } finally {
      lock.readLock().unlock();
    }
  }

  @Override
  public void close() {
    lock.writeLock().lock();
    try {
      if (handle != 0) {
        Library.binding().deleteTokenizer(handle);
        handle = 0;
      }
    } finally {
      lock.writeLock().unlock();
    }
  }

  private long open() {
    if (handle == 0) {
      throw new IllegalStateException("the tokenizer is closed");
    }
    return handle;
  }

  private static int[] narrow(long[] wide) {
    int[] ids = new int[wide.length];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = Math.toIntExact(wide[i]);
    }
    return ids;
  }

  /** The native library, loaded at first use from the copy inside DJL's jar. */
  private static final class Library {

    static {
      load();
    }

    private Library() {}

    static TokenizersLibrary binding() {
      return TokenizersLibrary.LIB;
    }

    /** Loads a temporary copy, which is deleted at once where the system lets us. */
    private static void load() {
      String file = System.mapLibraryName("tokenizers");
      String resource = "native/lib/" + platform() + "/cpu/" + file;
      try (InputStream in =
          TokenizersLibrary.class.getClassLoader().getResourceAsStream(resource)) {
        if (in == null) {
          throw new IllegalStateException(
              "there is no tokenizer library for this machine (" + platform() + ")");
        }
        Path copy = Files.createTempFile("sojourn-", file);
        try {
          Files.copy(in, copy, StandardCopyOption.REPLACE_EXISTING);
          System.load(copy.toString());
        } finally {
          if (!copy.toFile().delete()) {
            copy.toFile().deleteOnExit();
          }
        }
      } catch (IOException e) {
        throw new IllegalStateException(
            "cannot unpack the tokenizer library into "
                + System.getProperty("java.io.tmpdir")
                + " (choose another place with -Djava.io.tmpdir): "
                + e.getMessage(),
            e);
      }
    }

    private static String platform() {
      String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
      String name = os.startsWith("mac") ? "osx" : os.startsWith("win") ? "win" : "linux";
      String arch = System.getProperty("os.arch");
      return name + "-" + (arch.equals("amd64") ? "x86_64" : arch);
    }
  }
}
