/** The text in which structures are named, and what each word of it comes to. */

import { say, tell } from "./language.js";

const RUNNING = new Set(["resolved", "group", "template"]);
const TYPING_MS = 250;
// Names of a group that are shown.
const MOST_NAMES = 4;

/** The text box with the terms below it; nothing runs until every one of them is understood. */
export class Asking {
  #terms = [];
  #pause = 0;
  #request = null;

  /**
   * @param {object} elements Text box `text`, list `terms` and button `segment`.
   * @param {object} page `server`, `modality()`, which is empty without a scan, and `guarded(action)`.
   */
  constructor(elements, page) {
    Object.assign(this, elements, page);
    this.text.addEventListener("input", () => {
      clearTimeout(this.#pause);
      this.#pause = setTimeout(() => this.guarded(() => this.resolve()), TYPING_MS);
    });
  }

  /** Prompts of all terms, each once. */
  get prompts() {
    return [...new Set(this.#terms.flatMap((term) => term.prompts))];
  }

  /** Ask for another text. */
  async use(text) {
    this.text.value = text;
    return this.resolve();
  }

  /** Names in the text, in lower case. */
  get names() {
    return this.#words.map((word) => word.toLowerCase());
  }

  /** Add names to the text, unless they are there. */
  async add(...names) {
    const there = this.names;
    return this.use([...this.#words, ...names.filter((name) => !there.includes(name.toLowerCase()))].join(", "));
  }

  /** Take a name out of the text again. */
  async remove(name) {
    return this.use(this.#words.filter((word) => word.toLowerCase() !== name.toLowerCase()).join(", "));
  }

  get #words() {
    return this.text.value.split(/[,;\n]/).map((word) => word.trim()).filter(Boolean);
  }

  /**
   * Show what each word comes to; only the answer to the latest text counts.
   *
   * @returns {Promise<boolean>} Whether all of the text may run; false also if it has changed meanwhile.
   */
  async resolve() {
    clearTimeout(this.#pause);
    const text = this.text.value;
    this.#request?.abort();
    this.#terms = [];
    if (!text.trim() || !this.modality()) {
      this.#show();
      return false;
    }
    this.#request = new AbortController();
    try {
      this.#terms = await this.server.resolve(text, this.modality(), this.#request.signal);
    } catch (problem) {
      if (problem.code !== "cancelled") throw problem;
      return false;
    }
    this.#show();
    return !this.segment.disabled;
  }

  #show() {
    this.terms.replaceChildren(...this.#terms.map((term) => this.#item(term)), ...remarksOn(this.#terms));
    this.segment.disabled = !this.#terms.length || this.#terms.some((term) => !RUNNING.has(term.status));
  }

  #item(term) {
    const item = document.createElement("li");
    const runs = RUNNING.has(term.status);
    item.className = runs ? "runs" : "asks";
    const told = term.warnings.map(tell).join(" ");
    if (runs) {
      const [only] = term.prompts;
      const isNamed = term.prompts.length === 1 && only.toLowerCase() === term.term.toLowerCase();
      item.append(isNamed ? term.term : `${term.term} → ${shortened(term.prompts)}`);
      return item;
    }
    item.append(`${term.term}: ${told || say("Not found.")} `);
    if (term.suggestions.length) {
      item.append(`${say("Did you mean")} `, ...term.suggestions.map((name) => this.#suggestion(term, name)));
    }
    return item;
  }

  #suggestion(term, name) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    button.addEventListener("click", () => this.guarded(() => this.use(this.text.value.replace(term.term, () => name))));
    return button;
  }
}

/** What is to be known of the terms that run, folded: each remark once, with all terms that it is about. */
function remarksOn(terms) {
  const about = new Map();
  for (const term of terms.filter(({ status }) => RUNNING.has(status))) {
    for (const told of term.warnings.map(tell)) about.set(told, [...(about.get(told) ?? []), term.term]);
  }
  if (!about.size) return [];
  const item = document.createElement("li");
  item.className = "remarks";
  const folded = document.createElement("details");
  const summary = document.createElement("summary");
  summary.textContent = `${say("Remarks")} (${about.size})`;
  const lines = [...about].map(([told, names]) => {
    const line = document.createElement("small");
    line.textContent = `${names.join(", ")}: ${told}`;
    return line;
  });
  folded.append(summary, ...lines);
  item.append(folded);
  return [item];
}

function shortened(names) {
  if (names.length <= MOST_NAMES + 1) return names.join(", ");
  return say("{names} and {count} more", { names: names.slice(0, MOST_NAMES).join(", "), count: names.length - MOST_NAMES });
}
