/** Opens scans: files and folders that are dropped or chosen, and which volume or series of them. */

import { droppedFiles, readScan } from "./files/scan.js";
import { say } from "./language.js";

/** The field in which scans are dropped, and the question of which one. */
export class Opening {
  #files = [];

  /**
   * @param {object} elements Field `drop`, inputs `inputs`, the choice `which` in its `question`, and a line `reading`
   *     that says that it takes a while.
   * @param {object} page `guarded(action)` and `onScan(scan, name)`, called with what was read.
   */
  constructor(elements, page) {
    Object.assign(this, elements, page);
    for (const input of this.inputs) {
      input.addEventListener("change", () => {
        const files = [...input.files];
        input.value = ""; // the same files may be chosen again
        this.open(files);
      });
    }
    this.which.addEventListener("change", () => {
      if (this.which.value) this.open(this.#files, Number(this.which.value));
    });
    this.#listenForDrops();
  }

  /** Open the scan in files; `number` says which volume or series of several. */
  async open(files, number = null) {
    if (!files.length) return;
    await this.guarded(async () => {
      this.#files = files;
      let scan;
      this.reading.textContent = say("Reading the scan …");
      try {
        scan = await readScan(files, number);
      } catch (problem) {
        if (!problem.choices) throw problem;
        this.#ask(problem.choices);
        return;
      } finally {
        if (this.#files === files) this.reading.textContent = "";
      }
      if (this.#files !== files) return; // others were chosen while these were read
      if (number === null) this.question.hidden = true;
      await this.onScan(scan, files[0].name);
    });
  }

  #ask(choices) {
    this.which.replaceChildren(new Option("…", ""), ...choices.map((choice, n) => new Option(choice, n + 1)));
    this.question.hidden = false;
    this.which.focus();
  }

  /** Anywhere on the page: beside the field a browser would leave the page, and show the file. */
  #listenForDrops() {
    for (const kind of ["dragenter", "dragover"]) {
      window.addEventListener(kind, (event) => { event.preventDefault(); this.drop.classList.add("over"); });
    }
    window.addEventListener("dragleave", () => this.drop.classList.remove("over"));
    window.addEventListener("drop", (event) => {
      event.preventDefault();
      this.drop.classList.remove("over");
      this.guarded(async () => this.open(await droppedFiles(event.dataTransfer)));
    });
  }
}
