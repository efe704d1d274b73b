package dev.sojourn.engine.weights;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.HexFormat;
import java.util.Locale;

/** Says what a file of another format looks like, for whoever downloaded the wrong one. */
final class ForeignFile {

  private static final int LOOKED_AT = 64;

  private ForeignFile() {}

  /** Returns a guess from the first bytes. */
  static String describe(MemorySegment bytes) {
    if (bytes.byteSize() == 0) {
      return "an empty file";
    }
    byte[] first =
        bytes.asSlice(0, Math.min(LOOKED_AT, bytes.byteSize())).toArray(ValueLayout.JAVA_BYTE);
    String text = new String(first, ISO_8859_1);
    String lower = text.stripLeading().toLowerCase(Locale.ROOT);
    if (lower.startsWith("<!doctype") || lower.startsWith("<html") || lower.startsWith("<?xml")) {
      return "an HTML or XML page (a failed download?)";
    }
    if (text.startsWith("version https://git-lfs")) {
      return "a Git LFS pointer (the file itself was not fetched: git lfs pull)";
    }
    if (text.startsWith("PK")) {
      return "a ZIP archive (a PyTorch checkpoint? convert it to safetensors or GGUF first)";
    }
    if (looksLikeSafetensors(bytes)) {
      return "a safetensors file (name it .safetensors, or give its directory)";
    }
    if (text.startsWith("lmgg") || text.startsWith("fmgg") || text.startsWith("tjgg")) {
      return "an old GGML file from before GGUF (convert it again)";
    }
    if (text.startsWith("\u001f\u008b")) {
      return "a gzip archive (unpack it first)";
    }
    if (lower.startsWith("{") || lower.startsWith("[")) {
      return "JSON text";
    }
    return "bytes " + HexFormat.ofDelimiter(" ").formatHex(first, 0, Math.min(8, first.length));
  }

  /** The length of a JSON header in 8 bytes, then the header. */
  private static boolean looksLikeSafetensors(MemorySegment bytes) {
    if (bytes.byteSize() < 10) {
      return false;
    }
    long header = bytes.get(ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), 0);
    return header > 1
        && header <= bytes.byteSize() - 8
        && bytes.get(ValueLayout.JAVA_BYTE, 8) == '{';
  }
}
