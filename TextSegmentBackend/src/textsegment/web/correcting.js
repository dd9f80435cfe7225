/** Correcting a structure, and drawing new ones: the bar below the planes, and its keys. */

import { drawnMask } from "./mask.js";
import { Problem } from "./problem.js";
import { Pen } from "./view/pen.js";

/** The pen with its bar, and the corrections that are not saved yet. */
export class Correcting {
  #unsaved = false;

  /**
   * @param {object} elements `bar` with its `structure`, `radius`, and the buttons `undo`, `apply` and `done`; the form
   *     `draw` with the field `name`; and `planes`.
   * @param {object} page `viewer`, `results`, `grid()`, `guarded(action)`, and `carry(drawing)`, which asks the server
   *     and returns the new mask.
   */
  constructor(elements, page) {
    Object.assign(this, elements, page);
    this.pen = new Pen({
      viewer: page.viewer,
      results: page.results,
      grid: page.grid,
      isErasing: () => this.bar.elements.tool.value === "erase",
      radiusMm: () => Number(this.radius.value) / 2,
      correct: (drawing) => this.#carry(drawing),
    });
    this.undo.addEventListener("click", () => this.pen.undo());
    this.apply.addEventListener("click", () => this.guarded(() => this.pen.apply()));
    this.done.addEventListener("click", () => this.end());
    this.bar.addEventListener("submit", (event) => event.preventDefault());
    this.draw.addEventListener("submit", (event) => {
      event.preventDefault();
      this.guarded(() => this.#drawNew(this.name.value.trim()));
    });
  }

  /** Whether there are corrections that no file has. */
  get areUnsaved() {
    return this.#unsaved || this.pen.hasStrokes;
  }

  /** What was corrected is in a file, or may go. */
  settle() {
    this.#unsaved = false;
  }

  /** Begin to correct a structure. */
  begin(structure) {
    this.#leave(structure);
    this.pen.begin(structure);
    this.#show();
    this.planes.scrollIntoView(); // below the table, where the page is narrow
  }

  /** End: what was drawn stays. */
  end() {
    this.#leave("");
    this.#show();
  }

  /** Masks to draw; of the structure that is being corrected, what was drawn. */
  shown() {
    return this.results.shown().map((row) => ({ ...row, mask: this.pen.shownFor(row.mask.structure) ?? row.mask }));
  }

  /** Do what a key says; returns whether it says anything. */
  press({ key, ctrlKey, metaKey, altKey }) {
    if (!this.pen.structure) return false;
    const tool = { d: "draw", e: "erase" }[key.toLowerCase()];
    if ((ctrlKey || metaKey) && key.toLowerCase() === "z") this.pen.undo();
    else if (tool && !ctrlKey && !metaKey && !altKey) this.bar.elements.tool.value = tool;
    else return false;
    return true;
  }

  #leave(following) {
    const { structure } = this.pen;
    this.#unsaved ||= this.pen.hasStrokes;
    this.pen.end();
    // What was to be drawn, and was not.
    const left = this.results.get(structure)?.mask;
    if (left?.isEmpty && left.prompt === null && structure !== following) this.results.remove(structure);
  }

  #show() {
    const { structure } = this.pen;
    this.bar.hidden = !structure;
    this.bar.querySelector("b").textContent = structure;
    this.planes.classList.toggle("drawing", Boolean(structure));
    this.viewer.draw();
  }

  /** Begin to draw a structure that the model does not know, or that nobody asked it for. */
  #drawNew(name) {
    if (!name || this.results.get(name)) throw new Problem("edit_invalid", "Give it a name that no other structure has.");
    this.name.value = "";
    this.results.add(drawnMask(name), true);
    this.begin(name);
  }

  async #carry(drawing) {
    const mask = await this.carry(drawing);
    mask.prompt = drawing.mask.prompt;
    this.#unsaved = true;
    return mask;
  }
}
