package dev.sojourn.engine.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AvailableMemoryTest {

  @TempDir Path root;

  @BeforeEach
  void aMachineOf64Gigabytes() throws IOException {
    write("proc/meminfo", "MemTotal: 67108864 kB\nMemFree: 1 kB\nMemAvailable:    1000 kB\n");
  }

  private void write(String file, String text) throws IOException {
    Files.createDirectories(root.resolve(file).getParent());
    Files.writeString(root.resolve(file), text);
  }

  private void group(String path, String limit, long usage, long inactive) throws IOException {
    write("sys/fs/cgroup/" + path + "memory.max", limit + "\n");
    write("sys/fs/cgroup/" + path + "memory.current", usage + "\n");
    write(
        "sys/fs/cgroup/" + path + "memory.stat",
        "anon 5\ninactive_anon 7\ninactive_file " + inactive + "\nactive_file 11\n");
  }

  private long bytes() {
    return new AvailableMemory(root).bytes();
  }

  @Test
  void bytes_withoutGroups_areWhatTheMachineHas() throws IOException {
    assertThat(bytes()).isEqualTo(1000 << 10);
    write("proc/self/cgroup", "0::/\n");
    assertThat(bytes()).isEqualTo(1000 << 10);
    group("", "max", 500_000, 0);
    assertThat(bytes()).isEqualTo(1000 << 10);
    group("", "100000000000", 500_000, 0);
    assertThat(bytes()).isEqualTo(1000 << 10);
  }

  @Test
  void bytes_inAContainer_areItsLimitLessItsUse() throws IOException {
    write("proc/self/cgroup", "0::/\n");
    group("", "900000", 700_000, 50_000);
    assertThat(bytes()).isEqualTo(250_000);
    group("", "900000", 950_000, 0);
    assertThat(bytes()).isZero();
  }

  @Test
  void bytes_inNestedGroups_areTheLeast() throws IOException {
    write("proc/self/cgroup", "0::/pod/container\n");
    group("pod/", "500000", 400_000, 0);
    group("pod/container/", "max", 300_000, 0);
    assertThat(bytes()).isEqualTo(100_000);
    group("pod/container/", "350000", 300_000, 0);
    assertThat(bytes()).isEqualTo(50_000);
  }

  @Test
  void bytes_inAContainerOfVersion1_areItsLimitLessItsUse() throws IOException {
    // The container sees its own group as the root, under a path that is not there.
    write("proc/self/cgroup", "5:cpu,cpuacct:/docker/id\n4:memory:/docker/id\n0::/docker/id\n");
    write("sys/fs/cgroup/memory/memory.limit_in_bytes", "900000\n");
    write("sys/fs/cgroup/memory/memory.usage_in_bytes", "700000\n");
    write(
        "sys/fs/cgroup/memory/memory.stat",
        "inactive_file 1\ntotal_inactive_file 50000\ntotal_active_file 9\n");
    assertThat(bytes()).isEqualTo(250_000);
    write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    assertThat(bytes()).isEqualTo(1000 << 10);
  }

  @Test
  void now_onThisMachine_isSomething() {
    assertThat(AvailableMemory.now()).isPositive();
  }
}
