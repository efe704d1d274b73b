/**
 * The engine beside its peers, on one machine, one model and as many threads: {@link
 * dev.sojourn.bench.engine.EngineBench} starts a process for each {@link
 * dev.sojourn.bench.engine.Side}, ours too, so that they share nothing but the machine, and asks
 * them one after the other. They all answer in the words of {@link
 * dev.sojourn.bench.engine.SideProcess}.
 */
@NullMarked
package dev.sojourn.bench.engine;

import org.jspecify.annotations.NullMarked;
