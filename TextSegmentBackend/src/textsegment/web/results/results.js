/** The table of masks: eye, colour, name, what to know about each, millilitres, confidence. */

import { say, sayNumber } from "../language.js";
import { isDoubtful, notesOn, verdictWord } from "./notes.js";
import { Sorting } from "./sorting.js";

const COLORS = [
  [230, 85, 75], [86, 160, 211], [120, 190, 90], [240, 190, 70], [170, 120, 200], [90, 200, 190], [240, 130, 180],
  [160, 140, 100], [130, 130, 240], [200, 220, 110],
];

/** A color that differs from those before. */
function colorOf(number) {
  if (number < COLORS.length) return COLORS[number];
  // Beyond the list, hues at the golden angle, in three lightnesses.
  const hue = (number * 137.508) % 360;
  const lightness = [0.62, 0.5, 0.74][number % 3];
  const channel = (n) => {
    const k = (n + hue / 30) % 12;
    return Math.round(255 * (lightness - 0.6 * Math.min(lightness, 1 - lightness) * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [channel(0), channel(8), channel(4)];
}

/** Masks by structure, with what the user chose for each. */
export class Results {
  #rows = new Map();
  #doubtfulOnly = false;

  /**
   * @param {HTMLTableElement} table Its body is where the rows go; its head sorts them.
   * @param {(index: number[]) => void} onGo Called with the voxel to look at when a structure is clicked.
   * @param {(structure: string) => void} onEdit Called when a structure is to be drawn in.
   * @param {() => void} onChange Called when something is shown or hidden.
   * @param {() => number} axis Voxel axis along which the largest slice is looked for.
   */
  constructor(table, { onGo, onEdit, onChange, axis }) {
    [this.body] = table.tBodies;
    this.sorting = new Sorting(table.tHead, () => this.#arrange());
    Object.assign(this, { onGo, onEdit, onChange, axis });
  }

  /** Forget everything. */
  clear() {
    this.#rows.clear();
    this.body.replaceChildren();
    this.onChange();
  }

  /** The mask of a structure, and whether a person has drawn in it; nothing if there is none. */
  get(structure) {
    const row = this.#rows.get(structure);
    return row && { mask: row.mask, edited: row.edited };
  }

  /** Add a mask, in place of an earlier one of the same structure. */
  add(mask, edited = false) {
    const earlier = this.#rows.get(mask.structure);
    const color = earlier?.color ?? colorOf(this.#rows.size);
    const row = { mask, color, edited, visible: earlier?.visible ?? true, element: this.#element(mask, color, edited) };
    if (earlier) earlier.element.replaceWith(row.element);
    else this.body.append(row.element);
    this.#rows.set(mask.structure, row);
    this.#arrange();
    this.#filter();
    this.onChange();
  }

  /** Forget the mask of a structure. */
  remove(structure) {
    this.#rows.get(structure)?.element.remove();
    this.#rows.delete(structure);
    this.onChange();
  }

  /** Show all masks, or none. */
  showAll(visible) {
    for (const row of this.#rows.values()) {
      row.visible = visible;
      row.element.querySelector("input").checked = visible;
    }
    this.onChange();
  }

  /** Whether all masks are shown: false if none, null if some. */
  get areShown() {
    const shown = [...this.#rows.values()].filter((row) => row.visible).length;
    return shown === this.#rows.size || (shown ? null : false);
  }

  /** Show the rows of doubtful masks only, or of all. */
  set doubtfulOnly(only) {
    this.#doubtfulOnly = only;
    this.#filter();
  }

  /** Whether there is a mask that should be looked at. */
  get hasDoubt() {
    return [...this.#rows.values()].some(({ mask, edited }) => isDoubtful(mask, edited));
  }

  /** Masks to draw, with their colours. */
  shown() {
    return [...this.#rows.values()].filter((row) => row.visible && !row.mask.isEmpty);
  }

  /** Masks to save: all that are not hidden. */
  toSave() {
    const kept = [...this.#rows.values()].filter((row) => row.visible);
    return kept.map(({ mask, color, edited }) => ({ mask, color, edited, name: mask.structure }));
  }

  get isEmpty() {
    return this.#rows.size === 0;
  }

  /** Rows in their order; those that stand right are not moved, so that none loses the focus. */
  #arrange() {
    this.sorting.arranged(this.#rows.values()).forEach(({ element }, n) => {
      if (this.body.rows[n] !== element) this.body.insertBefore(element, this.body.rows[n] ?? null);
    });
  }

  #filter() {
    const only = this.#doubtfulOnly && this.hasDoubt;
    for (const row of this.#rows.values()) row.element.hidden = only && !isDoubtful(row.mask, row.edited);
  }

  #element(mask, color, edited) {
    const row = document.createElement("tr");
    row.dataset.structure = mask.structure;
    const eye = document.createElement("input");
    eye.type = "checkbox";
    eye.checked = this.#rows.get(mask.structure)?.visible ?? true;
    eye.setAttribute("aria-label", `${say("Show")}: ${mask.structure}`);
    eye.addEventListener("change", () => {
      this.#rows.get(mask.structure).visible = eye.checked;
      this.onChange();
    });
    const go = button(mask.structure, () => this.onGo(mask.largestSlice(this.axis())));
    go.disabled = mask.isEmpty;
    const edit = button("✎", () => this.onEdit(mask.structure));
    edit.setAttribute("aria-label", `${say("Correct")}: ${mask.structure}`);
    const about = document.createElement("small");
    about.textContent = notesOn(mask, edited).join(" ");
    about.classList.toggle("warn", isDoubtful(mask, edited) || mask.isEmpty || mask.statistics.touches_border);
    row.append(cell(eye), cell(swatch(color)), cell(go, about), cell(amount(mask)), cell(...flag(mask, edited), confidence(mask)), cell(edit));
    return row;
  }
}

function amount({ isEmpty, statistics }) {
  return isEmpty ? "" : `${sayNumber(statistics.volume_ml, statistics.volume_ml < 10 ? 1 : 0)} ml`;
}

function confidence({ isEmpty, statistics }) {
  return isEmpty || statistics.mean_confidence === null ? "" : `${Math.round(100 * statistics.mean_confidence)} %`;
}

/** The verdict as a sign, for whoever looks over many rows. */
function flag(mask, edited) {
  if (!isDoubtful(mask, edited)) return [];
  const sign = document.createElement("span");
  sign.className = mask.statistics.verdict === "check" ? "flag" : "flag absent";
  sign.textContent = mask.statistics.verdict === "check" ? "!" : "?";
  sign.title = verdictWord(mask);
  return [sign];
}

function swatch(color) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const context = canvas.getContext("2d");
  context.fillStyle = `rgb(${color.join(" ")})`;
  context.fillRect(0, 0, 1, 1);
  return canvas;
}

function button(text, onClick) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.addEventListener("click", onClick);
  return made;
}

function cell(...content) {
  const made = document.createElement("td");
  made.append(...content);
  return made;
}
