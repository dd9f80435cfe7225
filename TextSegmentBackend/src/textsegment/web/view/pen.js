/** Correcting a structure with pen and eraser: strokes, carrying them to the rest, one undo for both. */

import { Drawing } from "./drawing.js";
import { Problem } from "../problem.js";

/** The pen, while a structure is being corrected. */
export class Pen {
  #drawing = null;
  #history = [];

  /**
   * @param {object} page What it works with: `viewer`, `results`, `grid()`, `isErasing()`, `radiusMm()`, and
   *     `correct(drawing)`, which asks the server and returns the new mask.
   */
  constructor(page) {
    this.page = page;
  }

  /** The structure that is being corrected; empty if none is. */
  get structure() {
    return this.#drawing?.mask.structure ?? "";
  }

  /** Whether there are strokes that no mask has yet. */
  get hasStrokes() {
    return this.#drawing !== null && this.#drawing.edits.length > 0;
  }

  /** Begin to correct a structure, and end with another one. */
  begin(structure) {
    this.end();
    this.#take(this.page.results.get(structure).mask);
    this.page.viewer.tool = {
      down: (plane, slice, x, y) => {
        this.#drawing.begin(plane, slice);
        this.#last = [x, y];
        this.#disc(x, y);
        const drawing = this.#drawing;
        this.#history.push(() => drawing.undo());
      },
      move: (plane, slice, x, y) => this.#line(x, y),
      up: () => {
        if (!this.page.isErasing()) this.#drawing.fillEnclosed();
        this.page.viewer.draw();
      },
    };
  }

  /** End correcting: what was drawn stays. */
  end() {
    const drawing = this.#drawing;
    if (!drawing) return;
    this.#drawing = null;
    this.page.viewer.tool = null;
    this.#history = [];
    if (drawing.edits.length) this.page.results.add(drawing.toMask(), true);
    this.page.viewer.draw();
  }

  /** What to draw in place of the mask of a structure; null if it is not being corrected. */
  shownFor(structure) {
    return structure === this.structure ? this.#drawing : null;
  }

  /** Take the last stroke, or the last applying, back. */
  undo() {
    this.#history.pop()?.();
    this.page.viewer.draw();
  }

  /**
   * Carry what was drawn to the rest of the image.
   *
   * @throws {Problem} If nothing was drawn, or as the server says; what was drawn stays then.
   */
  async apply() {
    const drawing = this.#drawing;
    if (!drawing.edits.length) throw new Problem("edit_invalid", "Draw in a slice first.");
    const before = { ...this.page.results.get(drawing.mask.structure), drawing };
    const mask = await this.page.correct(drawing);
    if (this.#drawing !== drawing) return; // another structure was begun meanwhile
    this.#take(mask);
    this.page.results.add(mask, true);
    this.#history.push(() => {
      this.#drawing = before.drawing;
      this.page.results.add(before.mask, before.edited);
    });
  }

  #last = [0, 0];

  #take(mask) {
    this.#drawing = new Drawing(this.page.grid(), mask);
  }

  #line(x, y) {
    const [x0, y0] = this.#last;
    const steps = Math.max(1, Math.abs(x - x0), Math.abs(y - y0));
    for (let n = 1; n <= steps; n += 1) {
      this.#disc(Math.round(x0 + ((x - x0) * n) / steps), Math.round(y0 + ((y - y0) * n) / steps));
    }
    this.#last = [x, y];
  }

  #disc(x, y) {
    this.#drawing.disc(x, y, this.page.radiusMm(), !this.page.isErasing());
    this.page.viewer.draw();
  }
}
