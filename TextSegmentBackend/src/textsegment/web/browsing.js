/** The anatomy tree and the sets of structures, to tick what is to be asked for. */

import { say, sayTerm } from "./language.js";

const MOST_FOUND = 30;

/** The dialog with search, tree and sets. */
export class Browsing {
  #modality = "";
  #search = null;

  /**
   * @param {HTMLDialogElement} dialog Dialog with a search box, a list of sets, and a list for the tree.
   * @param {object} page `server`, `asking`, `modality()` and `guarded(action)`.
   */
  constructor(dialog, page) {
    Object.assign(this, page, { dialog });
    const find = (name) => dialog.querySelector(`[data-part="${name}"]`);
    [this.box, this.sets, this.tree] = ["search", "sets", "tree"].map(find);
    this.box.addEventListener("input", () => this.guarded(() => this.#show()));
  }

  /** Show what the model has in images of the modality. */
  async open() {
    this.dialog.showModal();
    if (this.#modality === this.modality()) {
      this.#tick();
      return;
    }
    this.#modality = this.modality();
    this.box.value = "";
    const [, templates] = await Promise.all([this.#show(), this.server.templates(this.#modality)]);
    const usable = templates.filter((set) => set.structures.length);
    this.sets.replaceChildren(...usable.map((set) => this.#set(set)));
  }

  async #show() {
    const text = this.box.value.trim();
    this.#search?.abort();
    this.#search = new AbortController();
    const { signal } = this.#search;
    const terms = text
      ? (await this.server.search(text, this.#modality, MOST_FOUND, signal)).map((term) => ({ ...term, leaf: true }))
      : await this.server.tree(this.#modality, "", signal);
    this.tree.replaceChildren(...terms.map((term) => this.#item(term)));
    if (!terms.length) this.tree.append(say("not found"));
  }

  /** A term: a box to tick if the model has it, and what lies below it, once that is opened. */
  #item(term) {
    const item = document.createElement("li");
    const label = document.createElement("label");
    if (["structure", "parts"].includes(term.support)) label.append(this.#box(term.support === "structure" ? term.prompts[0] : term.name), ` ${term.name}`);
    else label.append(term.name);
    label.title = term.definition;
    label.classList.toggle("lacking", !term.prompts.length);
    if (term.leaf || !term.children.length) {
      item.append(label);
      return item;
    }
    const below = document.createElement("details");
    const summary = document.createElement("summary");
    summary.append(label);
    const list = document.createElement("ul");
    below.append(summary, list);
    below.addEventListener("toggle", () => {
      if (below.open && !list.childElementCount) this.guarded(() => this.#openBranch(term, list));
    });
    item.append(below);
    return item;
  }

  async #openBranch(term, list) {
    const terms = await this.server.tree(this.#modality, term.id);
    list.replaceChildren(...terms.map((one) => this.#item(one)));
  }

  #box(name) {
    const box = document.createElement("input");
    box.type = "checkbox";
    box.dataset.name = name;
    box.checked = this.asking.names.includes(name.toLowerCase());
    box.addEventListener("change", () => this.guarded(() => (box.checked ? this.asking.add(name) : this.asking.remove(name))));
    return box;
  }

  /** Tick what is in the text now, which may have been changed since. */
  #tick() {
    for (const box of this.dialog.querySelectorAll("input[data-name]")) {
      box.checked = this.asking.names.includes(box.dataset.name.toLowerCase());
    }
  }

  #set(set) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    const prompts = [...new Set(set.structures.flatMap((line) => line.prompts))];
    button.textContent = `${sayTerm(set.label)} (${prompts.length})`;
    button.title = prompts.join(", ");
    button.addEventListener("click", () => this.guarded(async () => {
      await this.asking.add(...prompts);
      this.#tick();
    }));
    item.append(button);
    return item;
  }
}
