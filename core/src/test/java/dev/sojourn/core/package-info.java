@NullMarked
package dev.sojourn.core;

import org.jspecify.annotations.NullMarked;
