package dev.sojourn.engine;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.jetbrains.lincheck.Lincheck;
import org.junit.jupiter.api.Test;

/**
 * The way from callers to the engine thread, in the interleavings that Lincheck enumerates. An
 * owner that nobody wakes is found as a deadlock.
 */
class MailboxLincheckTest {

  private static final int INTERLEAVINGS = Integer.getInteger("sojourn.lincheck.interleavings", 30);

  /** An owner, and what was done of what it was given. */
  private static final class Owner {
    private final Thread thread = Thread.ofPlatform().unstarted(this::run);
    final Mailbox mailbox = new Mailbox(thread);
    final List<Integer> done = new ArrayList<>(); // by one thread at a time
    private final AtomicInteger doing = new AtomicInteger();

    void give(int command) {
      mailbox.give(() -> {
        if (doing.incrementAndGet() != 1 && !mailbox.ended()) {
          throw new AssertionError("two commands at once");
        }
        synchronized (done) {
          done.add(command);
        }
        doing.decrementAndGet();
      });
    }

    /** As the engine's thread. */
    private void run() {
      while (!mailbox.closing()) {
        mailbox.drain();
        mailbox.rest(Long.MAX_VALUE);
      }
      mailbox.drain();
      mailbox.end();
    }
  }

  @Test
  void commands_givenWhileTheOwnerGoesToRest_areDoneInTheirOrder() {
    Lincheck.runConcurrentTest(
        INTERLEAVINGS,
        () -> {
          Owner owner = new Owner();
          owner.thread.start();
          owner.give(1);
          owner.give(2);
          owner.mailbox.give(owner.mailbox::close);
          join(owner.thread);
          expect(owner, 2);
          if (!owner.done.equals(List.of(1, 2))) {
            throw new AssertionError("in another order: " + owner.done);
          }
        });
  }

  @Test
  void commands_givenWhileTheOwnerEnds_areAllDoneOnce() {
    Lincheck.runConcurrentTest(
        INTERLEAVINGS,
        () -> {
          Owner owner = new Owner();
          owner.thread.start();
          Thread other = Thread.ofPlatform().start(() -> owner.give(1));
          owner.mailbox.close();
          owner.give(2);
          join(other);
          join(owner.thread);
          expect(owner, 2);
        });
  }

  private static void expect(Owner owner, int commands) {
    List<Integer> all = IntStream.rangeClosed(1, commands).boxed().toList();
    synchronized (owner.done) {
      if (!owner.done.stream().sorted().toList().equals(all)) {
        throw new AssertionError("not each of them once: " + owner.done);
      }
    }
  }

  private static void join(Thread thread) {
    try {
      thread.join();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
