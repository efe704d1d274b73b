package dev.sojourn.engine.kernel;

import java.lang.foreign.AddressLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import org.jspecify.annotations.Nullable;

/**
 * Memory for weights and KV, zeroed: cut from blocks that Linux is asked to back with huge pages,
 * of which a processor can keep track where it cannot of so many small ones.
 *
 * <p>Blocks take room when they are first touched, not before; so a KV pool costs what was used of
 * it, and no time at start. On other systems, and where native access is not enabled, the arena
 * allocates as it does anyway.
 *
 * <p>Not thread-safe; what it allocates is as shared as the arena.
 */
public final class LargeMemory implements SegmentAllocator {

  /** Where huge pages begin; also on ARM, where they can be larger, but then need no help. */
  private static final long HUGE_PAGE = 2L << 20;

  /** Large enough that small matrices lie in huge pages too. */
  private static final long BLOCK = 64L << 20;

  private static final @Nullable Linux LINUX = Linux.find();

  private final Arena arena;
  private SegmentAllocator block = SegmentAllocator.slicingAllocator(MemorySegment.NULL);
  private long left;

  /** Creates an allocator whose memory ends with {@code arena}. */
  public LargeMemory(Arena arena) {
    this.arena = arena;
  }

  /**
   * {@inheritDoc}
   *
   * @throws OutOfMemoryError if the system has no room
   */
  @Override
  public MemorySegment allocate(long bytes, long alignment) {
    if (LINUX == null) {
      return arena.allocate(bytes, alignment);
    }
    long most = Math.addExact(bytes, alignment - 1);
    if (most > left) {
      long size = Math.max(most, BLOCK);
      block = SegmentAllocator.slicingAllocator(LINUX.map(size, arena));
      left = size;
    }
    left -= most;
    return block.allocate(bytes, alignment);
  }

  /** The system calls. Numbers are those of Linux on x86-64 and ARM. */
  private record Linux(MethodHandle mmap, MethodHandle madvise, MethodHandle munmap) {

    private static final int READ_AND_WRITE = 1 | 2;
    private static final int PRIVATE_ANONYMOUS_NORESERVE = 0x2 | 0x20 | 0x4000;
    private static final int MADV_HUGEPAGE = 14;

    static @Nullable Linux find() {
      if (!"Linux".equals(System.getProperty("os.name"))
          || !LargeMemory.class.getModule().isNativeAccessEnabled()) {
        return null;
      }
      Linker linker = Linker.nativeLinker();
      SymbolLookup libc = linker.defaultLookup();
      AddressLayout address = ValueLayout.ADDRESS;
      ValueLayout word = ValueLayout.JAVA_LONG;
      ValueLayout number = ValueLayout.JAVA_INT;
      return new Linux(
          linker.downcallHandle(
              libc.findOrThrow("mmap"),
              FunctionDescriptor.of(address, address, word, number, number, number, word)),
          linker.downcallHandle(
              libc.findOrThrow("madvise"), FunctionDescriptor.of(number, address, word, number)),
          linker.downcallHandle(
              libc.findOrThrow("munmap"), FunctionDescriptor.of(number, address, word)));
    }

    /** Maps so many bytes, from the beginning of a huge page, until the arena ends. */
    MemorySegment map(long bytes, Arena arena) {
      try {
        long mapped = Math.addExact(bytes, HUGE_PAGE);
        MemorySegment all =
            (MemorySegment)
                mmap.invokeExact(
                    MemorySegment.NULL,
                    mapped,
                    READ_AND_WRITE,
                    PRIVATE_ANONYMOUS_NORESERVE,
                    -1,
                    0L);
        if (all.address() == -1) {
          throw new OutOfMemoryError(
              "the system gives no "
                  + bytes
                  + " bytes for weights or KV, which lie outside the heap: serve a smaller model or"
                  + " less KV (--kv-tokens), or raise what the process may map (ulimit -v)");
        }
        MemorySegment owned = all.reinterpret(mapped, arena, this::unmap);
        long skipped = -all.address() & (HUGE_PAGE - 1);
        MemorySegment aligned = owned.asSlice(skipped, bytes);
        // Only advice: where it is refused, pages are small.
        int _ = (int) madvise.invokeExact(aligned, bytes, MADV_HUGEPAGE);
        return aligned;
      } catch (Error | RuntimeException e) {
        throw e;
      } catch (Throwable e) {
        throw new IllegalStateException(e);
      }
    }

    private void unmap(MemorySegment all) {
      try {
        int _ = (int) munmap.invokeExact(all, all.byteSize());
      } catch (Throwable e) {
        throw new IllegalStateException(e);
      }
    }
  }
}
