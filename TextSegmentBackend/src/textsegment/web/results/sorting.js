/** The order of the table: as was asked for, or by a column. */

const ORDERS = {
  name: { first: 1, compare: (a, b) => a.mask.structure.localeCompare(b.mask.structure) },
  volume: { first: -1, compare: (a, b) => size(a) - size(b) },
  doubt: { first: -1, compare: (a, b) => weight(a) - weight(b) || sureness(b) - sureness(a) },
};
const VERDICTS = ["not judged", "check", "probably absent"];

/** What a click on the head of a column does: sort, the other way round, and as it was. */
export class Sorting {
  #by = null;
  #direction = 1;

  /**
   * @param {HTMLTableSectionElement} head Head of the table, with buttons that name their order.
   * @param {() => void} onChange Called when rows are to be arranged.
   */
  constructor(head, onChange) {
    this.buttons = [...head.querySelectorAll("button[data-sort]")];
    for (const button of this.buttons) {
      button.addEventListener("click", () => {
        this.#next(button.dataset.sort);
        onChange();
      });
    }
  }

  /** Rows in the order in which they are shown. */
  arranged(rows) {
    if (!this.#by) return [...rows];
    return [...rows].sort((a, b) => this.#direction * ORDERS[this.#by].compare(a, b));
  }

  #next(name) {
    const { first } = ORDERS[name];
    if (this.#by !== name) [this.#by, this.#direction] = [name, first];
    else if (this.#direction === first) this.#direction = -first;
    else this.#by = null;
    for (const button of this.buttons) {
      const column = button.closest("th");
      if (button.dataset.sort !== this.#by) column.removeAttribute("aria-sort");
      else column.setAttribute("aria-sort", this.#direction > 0 ? "ascending" : "descending");
    }
  }
}

/** How doubtful a mask is; what a person has corrected is not. */
function weight({ mask, edited }) {
  return edited ? -1 : VERDICTS.indexOf(mask.statistics.verdict);
}

function size({ mask }) {
  return mask.isEmpty ? 0 : mask.statistics.volume_ml;
}

function sureness({ mask }) {
  return mask.statistics.mean_confidence ?? 1;
}
