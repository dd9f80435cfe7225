/** The words of the page, in the user's language: English or German. */

import { GERMAN } from "./german.js";

const words = navigator.language.toLowerCase().startsWith("de") ? GERMAN : {};

/** A word or sentence of the page in the user's language. */
export function say(text) {
  return words[text] ?? text;
}

/** Put the user's language into the elements that name their text. */
export function translate(root) {
  document.documentElement.lang = words === GERMAN ? "de" : "en";
  for (const element of root.querySelectorAll("[data-say]")) element.textContent = say(element.dataset.say);
  for (const element of root.querySelectorAll("[data-hint]")) element.placeholder = say(element.dataset.hint);
}
