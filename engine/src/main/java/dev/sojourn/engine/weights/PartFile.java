package dev.sojourn.engine.weights;

import static java.nio.file.LinkOption.NOFOLLOW_LINKS;

import java.io.Closeable;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.GroupPrincipal;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;

/**
 * A file that is being written, beside the one that it is to become: {@code .NAME.RANDOM.part}.
 *
 * <p>Its writer holds a lock on it, which ends with the process however that ends: a part without
 * one was left behind, and whoever writes the same target next deletes it. Used by one thread.
 */
final class PartFile implements Closeable {

  private static final Logger LOG = System.getLogger(PartFile.class.getName());

  private static final Set<PosixFilePermission> READ =
      EnumSet.of(
          PosixFilePermission.OWNER_READ,
          PosixFilePermission.GROUP_READ,
          PosixFilePermission.OTHERS_READ);

  /** Those of this process: opening and closing one again would end its lock. */
  private static final Set<Path> OWN = ConcurrentHashMap.newKeySet();

  private final Path target;
  private final Path path;
  private final FileChannel channel;

  private PartFile(Path target, Path path, FileChannel channel) {
    this.target = target;
    this.path = path;
    this.channel = channel;
  }

  /**
   * Creates one, after deleting those that were left behind.
   *
   * @param target absolute
   * @param sources nobody may read the file who may not read all of these; if there are none, who
   *     may is left to the system
   */
  static PartFile of(Path target, List<Path> sources) throws IOException {
    deleteLeft(target);
    while (true) {
      String name = Long.toHexString(ThreadLocalRandom.current().nextLong());
      Path path = target.resolveSibling("." + target.getFileName() + "." + name + ".part");
      PartFile part = new PartFile(target, path, create(path, !sources.isEmpty()));
      try {
        path.toFile().deleteOnExit(); // for a JVM that is told to stop meanwhile
        part.lock();
        if (Files.exists(path)) { // else another swept it away before it was locked
          part.restrict(sources);
          PartFile made = part;
          part = null;
          return made;
        }
      } finally {
        if (part != null) {
          part.close();
        }
      }
    }
  }

  /** Creates a part that is in {@link #OWN} before others could see it. */
  private static FileChannel create(Path path, boolean ours) throws IOException {
    FileAttribute<?>[] attributes =
        ours && posix(path)
            ? new FileAttribute<?>[] {
              PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"))
            }
            : new FileAttribute<?>[0];
    OWN.add(path);
    try {
      return FileChannel.open(
          path, Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE), attributes);
    } catch (IOException | RuntimeException e) {
      OWN.remove(path);
      throw e;
    }
  }

  private static boolean posix(Path path) {
    return path.getFileSystem().supportedFileAttributeViews().contains("posix");
  }

  /** A file system without locks has parts that nobody deletes, and no more. */
  private void lock() {
    try {
      channel.lock();
    } catch (IOException e) {
      LOG.log(Level.DEBUG, "no lock on " + path, e);
    }
  }

  /** Lets those read it who may read all sources. */
  private void restrict(List<Path> sources) throws IOException {
    if (sources.isEmpty() || !posix(path)) {
      return;
    }
    GroupPrincipal group = Files.readAttributes(path, PosixFileAttributes.class).group();
    Set<PosixFilePermission> readers = EnumSet.copyOf(READ);
    for (Path source : sources) {
      PosixFileAttributes attributes = Files.readAttributes(source, PosixFileAttributes.class);
      Set<PosixFilePermission> own = attributes.permissions();
      if (!own.contains(PosixFilePermission.OTHERS_READ)) {
        readers.remove(PosixFilePermission.OTHERS_READ);
        if (!attributes.group().equals(group)) {
          readers.remove(PosixFilePermission.GROUP_READ);
        }
      }
      if (attributes.group().equals(group) && !own.contains(PosixFilePermission.GROUP_READ)) {
        readers.remove(PosixFilePermission.GROUP_READ);
      }
    }
    readers.add(PosixFilePermission.OWNER_READ);
    readers.add(PosixFilePermission.OWNER_WRITE);
    Files.setPosixFilePermissions(path, readers);
  }

  private static void deleteLeft(Path target) throws IOException {
    String start = "." + target.getFileName() + ".";
    try (DirectoryStream<Path> files =
        Files.newDirectoryStream(
            target.resolveSibling("."),
            path -> {
              String name = path.getFileName().toString();
              return name.startsWith(start)
                  && name.substring(start.length()).matches("[0-9a-f]{1,16}\\.part");
            })) {
      for (Path file : files) {
        deleteIfLeft(target.resolveSibling(file.getFileName()));
      }
    }
  }

  private static void deleteIfLeft(Path path) {
    if (OWN.contains(path) || !Files.isRegularFile(path, NOFOLLOW_LINKS)) {
      return;
    }
    try (FileChannel left = FileChannel.open(path, StandardOpenOption.WRITE, NOFOLLOW_LINKS)) {
      if (left.tryLock() != null && Files.deleteIfExists(path)) {
        LOG.log(Level.INFO, "deleted {0}, which was left half written", path);
      }
    } catch (IOException e) {
      LOG.log(Level.DEBUG, "kept " + path, e);
    }
  }

  /** Returns where to write. */
  FileChannel channel() {
    return channel;
  }

  /** Puts it in its place, once all of it is on the disk. */
  void finish() throws IOException {
    channel.force(true);
    Files.move(path, target, StandardCopyOption.ATOMIC_MOVE);
  }

  /** Deletes what was not finished. */
  @Override
  public void close() {
    try (channel) {
      Files.deleteIfExists(path);
    } catch (IOException e) {
      LOG.log(Level.WARNING, "could not delete " + path, e);
    }
    OWN.remove(path);
  }
}
