/**
 * The {@code sojourn} command: what people and scripts type.
 *
 * <p>Each subcommand is one class. Options come from flags, the environment, a YAML file and
 * defaults, by the one rule of {@link dev.sojourn.cli.Settings}; whatever goes wrong ends in one
 * line and an {@link dev.sojourn.cli.ExitCode}. What may not enter: serving itself; a command
 * composes rooms, or talks HTTP to a gateway.
 */
@NullMarked
package dev.sojourn.cli;

import org.jspecify.annotations.NullMarked;
