package dev.sojourn.engine.weights;

import dev.sojourn.text.Vocabulary;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** An open GGUF model file (version 2 or 3). */
public final class GgufFile extends ModelFile {

  private final long size;
  private final int version;

  private GgufFile(Path path, long size, Arena arena, GgufReader.Header header) {
    super(path, arena, header.metadata(), header.tensors());
    this.size = size;
    this.version = header.version();
  }

  /**
   * Maps a file and reads its header.
   *
   * @throws ModelFileException if it cannot be read, is not GGUF, or is damaged
   */
  public static GgufFile open(Path path) {
    Arena arena = Arena.ofShared();
    boolean opened = false;
    try {
      MemorySegment bytes = map(path, arena);
      GgufFile file = new GgufFile(path, bytes.byteSize(), arena, GgufReader.read(path, bytes));
      opened = true;
      return file;
    } finally {
      if (!opened) {
        arena.close();
      }
    }
  }

  @Override
  public List<Path> files() {
    return List.of(path());
  }

  @Override
  public long size() {
    return size;
  }

  /** Returns the version of the format, 2 or 3. */
  public int version() {
    return version;
  }

  @Override
  public String format() {
    return "GGUF version " + version;
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
