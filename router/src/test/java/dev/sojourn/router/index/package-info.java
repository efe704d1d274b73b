/** Tests of {@code index}. */
@NullMarked
package dev.sojourn.router.index;

import org.jspecify.annotations.NullMarked;
