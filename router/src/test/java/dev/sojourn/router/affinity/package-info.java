/** Tests of {@code affinity}. */
@NullMarked
package dev.sojourn.router.affinity;

import org.jspecify.annotations.NullMarked;
