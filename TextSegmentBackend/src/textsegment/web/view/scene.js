/** Structures in 3-D. NiiVue draws them; nothing else of the page knows it (docs/adr/0014-web-assets.md). */

import { Problem } from "../problem.js";
import { surfaceOf } from "./surface.js";

const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;
const OPTIONS = {
  backColor: [0, 0, 0, 1], isOrientCube: true, show3Dcrosshair: false, dragAndDropEnabled: false, loadingText: "",
  logLevel: "silent",
};
// From the front: the patient's right is on the left, as in the planes.
const FRONT = { azimuth: 180, elevation: 10 };
const TURNS = { ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, 10], ArrowDown: [0, -10] };
const ZOOMS = { "+": 1.2, "-": 1 / 1.2 };

/** What draws in 3-D here: "hardware", "software", or "none". */
export function renderer() {
  const context = document.createElement("canvas").getContext("webgl2");
  if (!context) return "none";
  const named = context.getExtension("WEBGL_debug_renderer_info")?.UNMASKED_RENDERER_WEBGL ?? context.RENDERER;
  const name = context.getParameter(named);
  context.getExtension("WEBGL_lose_context")?.loseContext();
  return SOFTWARE.test(name) ? "software" : "hardware";
}

/** The surfaces of structures in a canvas, in their place in the patient. */
export class Scene {
  #niivue = null;
  #meshes = new Map(); // what is drawn, by mask
  #surfaces = new WeakMap(); // what was found, by mask
  #wanted = [];
  #grid = null;
  #working = null;

  /** @param {HTMLCanvasElement} canvas Where to draw. */
  constructor(canvas) {
    this.canvas = canvas;
    canvas.addEventListener("keydown", (event) => this.#onKey(event));
  }

  /** Whether it was begun. */
  get isOpen() {
    return this.#niivue !== null;
  }

  /** The meshes that are drawn, each with its `name` and its points `pts` in RAS millimetres. */
  get meshes() {
    return this.#niivue?.meshes ?? [];
  }

  /**
   * Begin to draw; the first time, the library is loaded.
   *
   * @throws {Problem} If the server lacks the library.
   */
  async open() {
    if (this.#niivue) return;
    try {
      await import("../assets/niivue.js");
    } catch {
      throw new Problem("dependency_missing", "This server lacks what draws in 3-D.", "Who runs it can add it (tools/web_assets.py).");
    }
    // It is no module, and leaves its name behind.
    const niivue = new globalThis.niivue.Niivue(OPTIONS);
    // Its keys are for volumes, of which there are none.
    niivue.keyDownListener = () => {};
    niivue.keyUpListener = () => {};
    await niivue.attachToCanvas(this.canvas);
    niivue.setSliceType(niivue.sliceTypeRender);
    niivue.setRenderAzimuthElevation(FRONT.azimuth, FRONT.elevation);
    this.#niivue = niivue;
  }

  /**
   * Draw these structures and no others.
   *
   * @param {{mask: Mask, color: number[]}[]} rows Masks that are not empty, with their colours.
   * @param {Grid} grid Grid of the image.
   * @returns {Promise<void>} When they are drawn.
   */
  async show(rows, grid) {
    this.#wanted = rows;
    this.#grid = grid;
    if (!this.#niivue) return;
    this.#working ??= this.#update().finally(() => { this.#working = null; });
    await this.#working;
  }

  /** Remove what is not wanted, then add what is lacking, one structure a frame. */
  async #update() {
    for (;;) {
      const masks = new Set(this.#wanted.map(({ mask }) => mask));
      for (const [mask, mesh] of this.#meshes) {
        if (masks.has(mask)) continue;
        this.#niivue.removeMesh(mesh);
        this.#meshes.delete(mask);
      }
      const next = this.#wanted.find(({ mask }) => !this.#meshes.has(mask));
      if (!next) break;
      this.#add(next);
      await new Promise((resolve) => { requestAnimationFrame(resolve); });
    }
    this.#niivue.drawScene();
  }

  #add({ mask, color }) {
    const { points, triangles } = this.#surfaces.get(mask) ?? surfaceOf(mask, this.#grid);
    this.#surfaces.set(mask, { points, triangles });
    const { NVMesh } = globalThis.niivue;
    const mesh = new NVMesh(points, triangles, mask.structure, Uint8Array.of(...color, 255), 1, true, this.#niivue.gl);
    this.#niivue.addMesh(mesh);
    this.#meshes.set(mask, mesh);
  }

  #onKey(event) {
    if (!this.#niivue) return;
    const { scene } = this.#niivue;
    const turn = TURNS[event.key];
    if (turn) this.#niivue.setRenderAzimuthElevation(scene.renderAzimuth + turn[0], scene.renderElevation + turn[1]);
    else if (ZOOMS[event.key]) this.#niivue.setScale(scene.volScaleMultiplier * ZOOMS[event.key]);
    else return;
    event.preventDefault();
  }
}
