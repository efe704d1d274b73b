/** Tests of {@code select}. */
@NullMarked
package dev.sojourn.router.select;

import org.jspecify.annotations.NullMarked;
