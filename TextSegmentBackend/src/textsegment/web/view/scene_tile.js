/** The tile with structures in 3-D: closed until asked for, and where it would be slow, until insisted on. */

import { say } from "../language.js";
import { Scene, renderer } from "./scene.js";

/** The button that opens and closes the tile, and what is in it. */
export class SceneTile {
  #scene;
  #insisted = false;

  /**
   * @param {object} elements Button `toggle`, the `tile` with a canvas and a paragraph about why it is empty, and the
   *     `planes` that it is one of.
   * @param {object} page `guarded(action)`, `shown()`, masks with their colours, and `grid()`.
   */
  constructor(elements, page) {
    Object.assign(this, elements, page);
    this.#scene = new Scene(this.tile.querySelector("canvas"));
    this.toggle.addEventListener("click", () => this.guarded(() => this.#set(this.tile.hidden)));
    this.tile.addEventListener("dblclick", () => this.#alone());
    this.tile.addEventListener("keydown", (event) => { if (event.key === "f") this.#alone(); });
    this.tile.querySelector("button").addEventListener("click", () => this.guarded(() => {
      this.#insisted = true;
      return this.#set(true);
    }));
  }

  /** Show the tile alone, as a plane, or all again. */
  #alone() {
    const { dataset } = this.planes;
    if (dataset.alone) delete dataset.alone;
    else dataset.alone = this.tile.id;
  }

  /** Draw what is shown now, if the tile is open. */
  draw() {
    if (!this.tile.hidden && this.#scene.isOpen) this.guarded(() => this.#scene.show(this.shown(), this.grid()));
  }

  async #set(open) {
    const caveat = open && !this.#scene.isOpen ? this.#caveat() : "";
    this.tile.hidden = !open;
    delete this.planes.dataset.alone;
    this.planes.classList.toggle("with_scene", open);
    this.toggle.setAttribute("aria-pressed", String(open));
    this.tile.querySelector("p").hidden = !caveat;
    this.tile.querySelector("span").textContent = caveat;
    if (!open || caveat) return;
    try {
      await this.#scene.open();
    } catch (problem) {
      await this.#set(false);
      throw problem;
    }
    await this.#scene.show(this.shown(), this.grid());
  }

  /** Why 3-D is off here; empty if it is not. */
  #caveat() {
    const kind = renderer();
    this.tile.querySelector("button").hidden = kind === "none";
    if (kind === "none") return say("This browser cannot draw in 3-D.");
    return kind === "software" && !this.#insisted ? say("3-D will be slow: this computer draws without a graphics card.") : "";
  }
}
