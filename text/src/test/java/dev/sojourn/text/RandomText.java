package dev.sojourn.text;

import java.util.random.RandomGenerator;

/** Random text: words, blanks, accents, scripts beyond the first plane, unassigned characters. */
final class RandomText {

  private static final String[] WORDS = {
    "the",
    "The",
    " lower",
    "tower's",
    "we'VE",
    " 1234",
    "  ",
    "   ",
    "\n",
    "\r\n",
    "\t",
    "é",
    "e\u0301",
    "ñ",
    "東京",
    "привет",
    "🙂",
    "👩‍👩‍👧",
    "\u200F",
    "\u00A0",
    "camelCase",
    "…",
    "\u0000",
    "\uFFFD",
    "<|",
    "|>",
    "<",
    ".",
    "\u2581",
    "ـ",
    "한국어",
    "𝔘𝔫𝔦",
    "\u2028",
    "/",
    "\\",
    "\"",
    "\uFEFF"
  };

  private RandomText() {}

  static String of(RandomGenerator random, int parts) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < parts; i++) {
      if (random.nextInt(4) > 0) {
        text.append(WORDS[random.nextInt(WORDS.length)]);
      } else {
        int point = random.nextInt(0x110000);
        text.appendCodePoint(point >= 0xD800 && point <= 0xDFFF ? 'x' : point);
      }
    }
    return text.toString();
  }
}
