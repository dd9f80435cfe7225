/** What is to be said about a mask, on the page and in files. */

import { say, tell } from "../language.js";

const PREFIXES = { check: "Check", "probably absent": "Probably not in this image", "not judged": "Not judged" };
const LONGEST = 1024;
const NOTE = "Note: ";
const MORE = "And more: see the report.";

/** Whether a mask should be looked at: the server has a verdict on it, and nobody has corrected it. */
export function isDoubtful({ statistics }, edited) {
  return !edited && ["check", "probably absent"].includes(statistics.verdict);
}

/**
 * What is to be said about a mask, as sentences: what became of it, the verdict with its reasons, warnings.
 *
 * @param {Mask} mask The mask.
 * @param {boolean} edited Whether a person has drawn in it; there is no verdict on it then.
 * @returns {string[]} In the language of the user.
 */
export function notesOn(mask, edited) {
  if (mask.isEmpty) return edited ? [] : [sentence(say("not found"))];
  return [
    ...(edited ? [sentence(say("corrected"))] : []),
    ...verdictOn(mask, edited, say, tell),
    ...(mask.statistics.touches_border ? [sentence(say("cut off by the border of the image"))] : []),
    ...mask.warnings.map(tell),
  ];
}

/** The verdict of the server on a mask, in the language of the user. */
export function verdictWord({ statistics: { verdict } }) {
  return say(PREFIXES[verdict] ?? verdict);
}

/** The description of a structure in a DICOM object: at most 1024 characters of ASCII, in English. */
export function descriptionOf(mask, edited, ...remarks) {
  const notes = [...verdictOn(mask, edited, String, String), ...mask.warnings].map(String);
  const words = [`${mask.structure}.`, ...remarks].join(" ");
  const note = joined(notes, LONGEST - words.length - NOTE.length - 1);
  return ascii(note ? `${words} ${NOTE}${note}` : words, LONGEST);
}

/** Sentences as one line of limited length; if not all of them fit, its end says so. */
function joined(sentences, longest) {
  let said = "";
  for (const [n, sentence] of sentences.entries()) {
    const longer = `${said} ${sentence}`.trim();
    const rest = n < sentences.length - 1 ? MORE.length + 1 : 0;
    if (longer.length + rest > longest) return `${said} ${MORE}`.trim();
    said = longer;
  }
  return said;
}

/** A text that any character set of DICOM can hold: a backslash would separate two values. */
export function ascii(text, longest) {
  const replaced = text.replaceAll("\\", "/").replaceAll("…", "...").replaceAll("²", "2").normalize("NFKD");
  return replaced.replace(/[^\x20-\x7e]/g, "").slice(0, longest);
}

function verdictOn({ statistics: { verdict, reasons } }, edited, word, telling) {
  return !verdict || edited ? [] : [`${word(PREFIXES[verdict] ?? verdict)}: ${reasons.map(telling).join("; ")}.`];
}

function sentence(words) {
  return `${words[0].toUpperCase()}${words.slice(1)}.`;
}
