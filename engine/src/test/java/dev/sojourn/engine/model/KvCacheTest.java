package dev.sojourn.engine.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.engine.kernel.Kernels;
import org.junit.jupiter.api.Test;

class KvCacheTest {

  @Test
  void write_ofNumbersBeyondHalves_storesTheGreatestAndKeepsNaN() {
    float[] key = {70_000, -1e9f, 65_504, Float.NaN};
    float[] value = {Float.POSITIVE_INFINITY, 1, -65_519, Float.NEGATIVE_INFINITY};
    float[] keys = new float[Kernels.LANES * key.length];
    float[] values = new float[Kernels.SPAN * Kernels.LANES];
    try (KvCache kv = new KvCache(KvType.F16, 1, 1, key.length, 1)) {
      int slot = 3;
      kv.write(0, 0, 0, slot, key, 0, value, 0);
      KvReader reader = new KvReader(Kernels.best(), key.length);
      reader.keys(kv, 0, 0, 0, keys, 0);
      reader.values(kv, 0, 0, 0, values, 0);
      Float[] expectedKey = {65_504f, -65_504f, 65_504f, Float.NaN};
      Float[] expectedValue = {65_504f, 1f, -65_504f, -65_504f};
      for (int d = 0; d < key.length; d++) {
        assertThat(keys[d * Kernels.LANES + slot]).isEqualTo(expectedKey[d]);
        assertThat(values[slot * Kernels.LANES + d]).isEqualTo(expectedValue[d]);
      }
    }
  }
}
