/** The words of the page, in the user's language: English or German. */

import { filled } from "./caution.js";
import { GERMAN } from "./german.js";
import { CAUTIONS, VALUES } from "./german/cautions.js";
import { ERRORS } from "./german/errors.js";
import { TERM_VALUES, TERMS } from "./german/vocabulary.js";

const IS_GERMAN = navigator.language.toLowerCase().startsWith("de");
const WORDS = { ...VALUES, ...TERM_VALUES };
const PHRASES = { ...CAUTIONS, ...TERMS };

/** A word or sentence of the page in the user's language, with its values. */
export function say(text, values = {}) {
  return filled((IS_GERMAN && GERMAN[text]) || text, values, written);
}

/** A caution in the user's language; in English where its code is not known. */
export function tell({ code, values, about, sentence }) {
  const phrase = IS_GERMAN ? PHRASES[code] : undefined;
  if (phrase === undefined) return sentence;
  const told = filled(phrase, values, written);
  return about ? `${about}: ${told}` : told;
}

/** What went wrong and what to do about it, in the user's language. */
export function tellProblem({ code, template, hint, values, retryAfterS, caution }) {
  if (IS_GERMAN) {
    if (PHRASES[caution?.code]) return tell(caution);
    const isKnown = GERMAN[template] && (!hint || GERMAN[hint]);
    if (!isKnown && ERRORS[code]) return filled(ERRORS[code], { retry_after_s: retryAfterS }, written);
  }
  return `${say(template, values)} ${say(hint)}`.trim();
}

/** A word or sentence of the vocabulary in the user's language. */
export function sayTerm(text) {
  return (IS_GERMAN && WORDS[text]) || text;
}

/** A number in the way of the user's language. */
export function sayNumber(value, decimals) {
  return value.toLocaleString(IS_GERMAN ? "de" : "en", {
    minimumFractionDigits: decimals, maximumFractionDigits: decimals, useGrouping: false,
  });
}

/** Put the user's language into the elements that name their text. */
export function translate(root) {
  document.documentElement.lang = IS_GERMAN ? "de" : "en";
  for (const element of root.querySelectorAll("[data-say]")) element.textContent = say(element.dataset.say);
  for (const element of root.querySelectorAll("[data-hint]")) element.placeholder = say(element.dataset.hint);
  for (const element of root.querySelectorAll("[data-label]")) element.setAttribute("aria-label", say(element.dataset.label));
}

function written(value, digits) {
  if (typeof value === "number") {
    return value.toLocaleString(IS_GERMAN ? "de" : "en", { maximumSignificantDigits: Math.min(digits, 21) });
  }
  if (WORDS[value] || !IS_GERMAN) return sayTerm(value);
  // Several sentences, of which each is known by itself.
  return String(value).replace(/[^.]+\./g, (sentence) => sentence.replace(sentence.trim(), sayTerm));
}
