/** Tests of {@code load}. */
@NullMarked
package dev.sojourn.router.load;

import org.jspecify.annotations.NullMarked;
