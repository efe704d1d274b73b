package dev.sojourn.engine.model;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.sojourn.engine.kernel.ComputePool;
import dev.sojourn.engine.kernel.PackedMatrix;
import dev.sojourn.engine.weights.ModelFile;
import dev.sojourn.engine.weights.ModelFileException;
import dev.sojourn.engine.weights.ModelTensor;
import dev.sojourn.engine.weights.Progress;
import dev.sojourn.engine.weights.WholeFile;
import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import java.util.zip.CRC32C;

/**
 * The packed weights of a model in a file beside it, so that the next start reads instead of
 * packing. It never fails a start: a cache that cannot be used or written is a warning.
 *
 * <pre>
 *   8 bytes   "SOJPACK1"
 *   32        identity: SHA-256 of what the image depends on
 *   1 each    matrix: 1 if its halves are normalised
 *   4 each    part of the image: its CRC-32C, little-endian
 *   4         CRC-32C of all before
 *             zeros up to a multiple of 4,096; then the image
 * </pre>
 *
 * <p>No length and no offset is read from the file: all follow from the model, whose identity the
 * cache must have. The identity is made of the layout of packed matrices, which matrix is where and
 * in which shape, how matrices are {@link ModelFile#RESTORED restored}, the names, sizes, inodes
 * and times of the model's files, and some bytes of each tensor. The times are those of the last
 * change of contents and, where the system keeps it, of anything about the file, which no program
 * can set back. So a cache is not taken for that of a file that was written since.
 *
 * <p>Used by one thread.
 */
final class PackedCache {

  private static final Logger LOG = System.getLogger(PackedCache.class.getName());

  private static final String SUFFIX = ".sojourn-packed";
  private static final byte[] MAGIC = "SOJPACK1".getBytes(UTF_8);
  private static final int PART = 16 << 20;
  private static final int PAGE = 4096;

  /** Parts that are read or written between two reports of progress, by all threads. */
  private static final int ROUND = 8;

  /** Bytes of a tensor that are part of the identity: from its middle. */
  private static final int SAMPLE = 64;

  private final ModelFile model;
  private final WeightLoader loader;
  private final Path path;
  private final int parts;
  private final int headerBytes;
  private final long imageAt;

  PackedCache(ModelFile model, WeightLoader loader) {
    this.model = model;
    this.loader = loader;
    this.path = model.path().resolveSibling(model.path().getFileName() + SUFFIX);
    this.parts = Math.toIntExact(Math.ceilDiv(loader.bytes(), PART));
    this.headerBytes =
        Math.addExact(
            MAGIC.length + 32 + loader.shapes().size() + Integer.BYTES,
            Math.multiplyExact(parts, Integer.BYTES));
    this.imageAt = Math.ceilDiv((long) headerBytes, PAGE) * PAGE;
  }

  /** Returns where the cache of a model is. */
  Path path() {
    return path;
  }

  /**
   * Loads the model from the cache; or packs it, and writes the cache for next time.
   *
   * @param image where to
   */
  WeightLoader.Loaded load(MemorySegment image, ComputePool pool, Progress progress) {
    Optional<byte[]> identity = identity();
    Optional<boolean[]> normalised =
        identity.flatMap(expected -> read(expected, image, pool, progress));
    if (normalised.isPresent()) {
      return loader.restore(image, normalised.get());
    }
    List<PackedMatrix> matrices = new ArrayList<>();
    WeightLoader.Loaded loaded = loader.pack(image, pool, matrices, progress);
    identity.ifPresent(before -> write(before, image, matrices, pool, progress));
    return loaded;
  }

  /** Reads the image; nothing if there is none to be used. */
  private Optional<boolean[]> read(
      byte[] identity, MemorySegment image, ComputePool pool, Progress progress) {
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      ByteBuffer header = buffer();
      if (channel.size() < header.capacity()) {
        return refused("it is cut off");
      }
      readAll(channel, header, 0);
      byte[] start = new byte[MAGIC.length + identity.length];
      header.flip().get(start);
      if (!Arrays.equals(MAGIC, Arrays.copyOf(start, MAGIC.length))) {
        return refused("it is no cache of packed weights, or one of another version");
      }
      if (!Arrays.equals(identity, Arrays.copyOfRange(start, MAGIC.length, start.length))) {
        return refused("the model, or the way to pack it, has changed since");
      }
      if (header.getInt(headerBytes - Integer.BYTES)
          != checksum(header, headerBytes - Integer.BYTES)) {
        return refused("its header is damaged");
      }
      if (channel.size() != imageAt + image.byteSize()) {
        return refused(
            "it has %d bytes, not %d".formatted(channel.size(), imageAt + image.byteSize()));
      }
      boolean[] normalised = new boolean[loader.shapes().size()];
      for (int i = 0; i < normalised.length; i++) {
        normalised[i] = header.get() == 1;
      }
      int checksums = header.position();
      inParts(
          "reading " + path.getFileName(),
          image,
          pool,
          progress,
          (part, index, at) -> {
            readAll(channel, part, at);
            if (checksum(part, part.limit()) != header.getInt(checksums + index * Integer.BYTES)) {
              throw new IOException("the bytes from " + at + " on are damaged");
            }
          });
      return Optional.of(normalised);
    } catch (NoSuchFileException e) {
      return Optional.empty();
    } catch (IOException | UncheckedIOException e) {
      return refused(String.valueOf(e.getMessage()));
    }
  }

  private Optional<boolean[]> refused(String why) {
    LOG.log(Level.WARNING, "packing the weights again; {0} is not used: {1}", path, why);
    return Optional.empty();
  }

  private void write(
      byte[] identity,
      MemorySegment image,
      List<PackedMatrix> matrices,
      ComputePool pool,
      Progress progress) {
    if (!identity().filter(now -> Arrays.equals(now, identity)).isPresent()) {
      LOG.log(Level.WARNING, "{0} changed while it was loaded: no {1}", model.path(), path);
      return;
    }
    int[] checksums = new int[parts];
    try {
      WholeFile.write(
          path,
          imageAt + image.byteSize(),
          model.files(),
          channel -> {
            inParts(
                "writing " + path.getFileName(),
                image,
                pool,
                progress,
                (part, index, at) -> {
                  checksums[index] = checksum(part, part.limit());
                  while (part.hasRemaining()) {
                    at += channel.write(part, at);
                  }
                });
            ByteBuffer header = buffer().put(MAGIC).put(identity);
            matrices.forEach(matrix -> header.put((byte) (matrix.normalised() ? 1 : 0)));
            Arrays.stream(checksums).forEach(header::putInt);
            header.putInt(checksum(header, headerBytes - Integer.BYTES));
            header.clear();
            for (long at = 0; header.hasRemaining(); ) {
              at += channel.write(header, at);
            }
          });
    } catch (ModelFileException | UncheckedIOException e) {
      LOG.log(Level.WARNING, "the next start packs the weights again: {0}", e.getMessage());
    }
  }

  /** What is done with a part of the image. */
  private interface PartWork {

    /**
     * Reads or writes a part.
     *
     * @param part its bytes in memory
     * @param at where they are in the file
     */
    void run(ByteBuffer part, int index, long at) throws IOException;
  }

  private void inParts(
      String what, MemorySegment image, ComputePool pool, Progress progress, PartWork work) {
    for (int first = 0; first < parts; first += ROUND) {
      int round = first;
      pool.run(
          Math.min(ROUND, parts - first),
          (_, unit) -> {
            int index = round + unit;
            long from = (long) index * PART;
            long length = Math.min(PART, image.byteSize() - from);
            try {
              work.run(image.asSlice(from, length).asByteBuffer(), index, imageAt + from);
            } catch (IOException e) {
              throw new UncheckedIOException(e.getMessage(), e);
            }
          });
      long done = Math.min((long) (first + ROUND) * PART, image.byteSize());
      progress.at(what, done, image.byteSize());
    }
  }

  private static void readAll(FileChannel channel, ByteBuffer into, long at) throws IOException {
    while (into.hasRemaining()) {
      int count = channel.read(into, at + into.position());
      if (count < 0) {
        throw new EOFException("it is cut off at " + (at + into.position()));
      }
    }
  }

  private ByteBuffer buffer() {
    return ByteBuffer.allocate(Math.toIntExact(imageAt)).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Returns the checksum of the first so many bytes. */
  private static int checksum(ByteBuffer bytes, int length) {
    CRC32C sum = new CRC32C();
    sum.update(bytes.duplicate().position(0).limit(length));
    return (int) sum.getValue();
  }

  /** Returns what the image depends on; nothing if the system does not say. */
  private Optional<byte[]> identity() {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      add(
          digest,
          "layout %d, restored %d, %s"
              .formatted(PackedMatrix.LAYOUT, ModelFile.RESTORED, loader.shapes()));
      for (Path file : model.files()) {
        boolean unix = file.getFileSystem().supportedFileAttributeViews().contains("unix");
        String attributes = unix ? "unix:size,lastModifiedTime,ctime,ino" : "size,lastModifiedTime";
        add(
            digest,
            file.getFileName() + " " + new TreeMap<>(Files.readAttributes(file, attributes)));
      }
      byte[] sample = new byte[SAMPLE];
      for (ModelTensor tensor : model.tensors()) {
        add(digest, tensor.name() + tensor.type() + tensor.dimensions() + tensor.offset());
        long size = tensor.data().byteSize();
        int length = (int) Math.min(SAMPLE, size);
        long from = (size - length) / 2;
        MemorySegment.copy(tensor.data(), ValueLayout.JAVA_BYTE, from, sample, 0, length);
        digest.update(sample, 0, length);
      }
      return Optional.of(digest.digest());
    } catch (IOException e) {
      LOG.log(Level.WARNING, "no packed weights are kept or used: {0}", String.valueOf(e));
      return Optional.empty();
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
  }

  private static void add(MessageDigest digest, String text) {
    digest.update((text + "\n").getBytes(UTF_8));
  }
}
