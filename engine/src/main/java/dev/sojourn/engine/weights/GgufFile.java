package dev.sojourn.engine.weights;

import dev.sojourn.text.Vocabulary;
import java.nio.file.Path;
import java.util.Optional;

/** An open GGUF model (version 2 or 3): a file, or the parts that one was split into. */
public final class GgufFile extends ModelFile {

  private final int version;

  private GgufFile(Path path, TensorFiles files, GgufReader.Header header) {
    super(path, files, header.metadata(), files.tensors());
    this.version = header.version();
  }

  /**
   * Maps a model's files and reads their headers.
   *
   * @param path the file; of a model in parts the first, beside which are the others
   * @throws ModelFileException if a file cannot be read, is not GGUF, is damaged, or is no part of
   *     this model
   */
  public static GgufFile open(Path path) {
    TensorFiles files = new TensorFiles();
    boolean opened = false;
    try {
      GgufFile file = new GgufFile(path, files, GgufParts.read(path, files));
      opened = true;
      return file;
    } finally {
      if (!opened) {
        files.close();
      }
    }
  }

  /** Returns the version of the format, 2 or 3. */
  public int version() {
    return version;
  }

  @Override
  public String format() {
    int parts = files().size();
    return "GGUF version " + version + (parts > 1 ? " in " + parts + " parts" : "");
  }

  @Override
  public Vocabulary vocabulary() {
    return GgufVocabulary.of(this);
  }

  @Override
  public Optional<String> tokenizer() {
    return metadata()
        .findString("tokenizer.ggml.model")
        .map(model ->
            metadata()
                .findString("tokenizer.ggml.pre")
                .map(pre -> model + "/" + pre)
                .orElse(model));
  }

  @Override
  public Optional<String> chatTemplate() {
    return metadata().findString("tokenizer.chat_template");
  }
}
