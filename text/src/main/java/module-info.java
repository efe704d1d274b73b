/** Tokenizers, chat templates and incremental detokenising. Needs no engine. */
module dev.sojourn.text {
  requires transitive dev.sojourn.core;
  requires ai.djl.tokenizers;
  requires tools.jackson.databind;
  requires static org.jspecify;

  exports dev.sojourn.text;
  exports dev.sojourn.text.answer;
  exports dev.sojourn.text.template;
}
