package dev.sojourn.bench.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sojourn.bench.engine.Peers.NotFoundException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PeersTest {

  @TempDir Path directory;

  @Test
  void llamaCpp_withoutItsPackage_saysHowToInstallIt() {
    assertThatThrownBy(() -> peers().llamaCpp(directory))
        .isInstanceOf(NotFoundException.class)
        .hasMessageContaining("there is no node-llama-cpp in " + directory.resolve("node_modules"))
        .hasMessageContaining("npm install --prefix DIR");
  }

  @Test
  void llamaCpp_inADirectoryThatHasIt_runsOurDriver() throws Exception {
    Files.createDirectories(directory.resolve("node_modules/node-llama-cpp"));
    Side side = peers().llamaCpp(directory);
    assertThat(side.command().getFirst()).isEqualTo("node");
    assertThat(Path.of(side.command().get(1))).content().contains("flashAttention: true");
    assertThat(side.command()).contains("3");
  }

  @Test
  void javaPeers_thatAreNoFiles_areRefused() {
    Path missing = directory.resolve("missing");
    assertThatThrownBy(() -> peers().jinfer(missing))
        .hasMessage("jinfer's jar is a file that can be read, not " + missing);
    assertThatThrownBy(() -> peers().llama3Java(directory))
        .hasMessage("llama3.java's source is a file that can be read, not " + directory);
  }

  @Test
  void llama3Java_thatDoesNotCompile_isRefusedWithTheReason() throws Exception {
    Path source = Files.writeString(directory.resolve("Llama3.java"), "class Llama3 { int");
    assertThatThrownBy(() -> peers().llama3Java(source))
        .isInstanceOf(NotFoundException.class)
        .hasMessageContaining("Llama3.java cannot be compiled: ")
        .hasMessageContaining("error");
  }

  @Test
  void llama3Java_isGivenAsManyThreads_itsCallerBeingOne() throws Exception {
    Path source = Files.writeString(directory.resolve("Llama3.java"), "class Llama3 {}");
    for (int threads : new int[] {1, 2, 5}) {
      Side side = new Peers(directory.resolve("m.gguf"), threads, directory).llama3Java(source);
      assertThat(side.command())
          .contains("-Djava.util.concurrent.ForkJoinPool.common.parallelism=" + (threads - 1));
    }
  }

  private Peers peers() {
    return new Peers(directory.resolve("m.gguf"), 3, directory);
  }
}
