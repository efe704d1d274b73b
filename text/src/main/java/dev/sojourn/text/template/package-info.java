/**
 * Chat templates: the models' own Jinja, rendered as Python's jinja2 does in transformers.
 *
 * <p>What may not enter: reflection, I/O, anything that a template could reach beyond its input.
 */
@NullMarked
package dev.sojourn.text.template;

import org.jspecify.annotations.NullMarked;
