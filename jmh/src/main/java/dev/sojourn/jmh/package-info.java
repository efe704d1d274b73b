/**
 * Benchmarks of single kernels, on one thread, with JMH. What a whole model does belongs to {@code
 * sojourn bench engine}.
 */
@NullMarked
package dev.sojourn.jmh;

import org.jspecify.annotations.NullMarked;
