/** Three linked planes of a scan with its masks: crosshair, wheel, window, letters. */

import { Frame } from "./frame.js";
import { Plane, PLANES, drawMask, drawSlice } from "./planes.js";

// Pixels that a wheel scrolls by a notch at least.
const NOTCH = 50;

/** The three planes in their canvases. */
export class Viewer {
  #views;
  #volume = null;
  #shown = () => [];
  #waiting = false;
  #window = { level: 40, width: 400 };

  /**
   * @param {HTMLElement} parent Has an element for each plane, by its name: with a canvas, an output for the slice, a
   *     range to choose it, and a place for the window.
   * @param {object} page `onMove(index)`, called with the voxel under the crosshair when it moves, and `onWindow()`,
   *     when the window changes.
   */
  constructor(parent, { onMove, onWindow }) {
    Object.assign(this, { parent, onMove, onWindow });
    /** What the left button does instead of moving the crosshair: `down`, `move` and `up`, with plane, slice and pixel. */
    this.tool = null;
    this.cursor = [0, 0, 0];
    this.#views = Object.keys(PLANES).map((name) => new View(name, parent.querySelector(`#${name}`), this));
    // Each by itself: a plane may change its size when the others do not.
    const observer = new ResizeObserver(() => this.draw());
    this.#views.forEach(({ canvas }) => observer.observe(canvas));
  }

  /** The values between black and white: `level` in their middle, and `width`. */
  get window() {
    return this.#window;
  }

  set window(window) {
    this.#window = window;
    this.onWindow();
    this.draw();
  }

  /** Show one plane alone, or all again. */
  enlarge(name) {
    if (this.parent.dataset.alone === name) delete this.parent.dataset.alone;
    else this.parent.dataset.alone = name;
    this.draw();
  }

  /**
   * Show a scan.
   *
   * @param {Volume} volume The scan.
   * @param {() => {mask: Mask, color: number[]}[]} shown What to draw over it, asked for at each drawing.
   */
  show(volume, shown) {
    this.#volume = volume;
    this.#shown = shown;
    this.#views.forEach((view) => view.use(volume.grid));
    this.moveTo(volume.grid.shape.map((n) => n >> 1));
  }

  /** Move the crosshair to a voxel. */
  moveTo(index) {
    this.cursor = index.map((n, axis) => Math.min(Math.max(n, 0), this.#volume.grid.shape[axis] - 1));
    this.onMove(this.cursor);
    this.draw();
  }

  /** Draw everything at the next frame. */
  draw() {
    if (this.#waiting || !this.#volume) return;
    this.#waiting = true;
    requestAnimationFrame(() => {
      this.#waiting = false;
      const shown = this.#shown();
      this.#views.forEach((view) => view.draw(this.#volume, shown, this.window, this.cursor));
    });
  }
}

/** One plane in its canvas. */
class View {
  #plane = null;
  #picture = null;
  #buffer = document.createElement("canvas");
  #frame = new Frame();
  #turned = 0;

  constructor(name, frame, viewer) {
    this.name = name;
    this.canvas = frame.querySelector("canvas");
    this.caption = frame.querySelector("output");
    this.levels = frame.querySelector("small");
    this.slider = frame.querySelector("input");
    this.letters = frame.querySelectorAll("[data-side]");
    this.#listen(viewer);
  }

  use(grid) {
    this.#plane = new Plane(grid, this.name);
    this.#buffer.width = this.#plane.width;
    this.#buffer.height = this.#plane.height;
    this.#picture = new ImageData(this.#plane.width, this.#plane.height);
    this.#frame.reset();
    this.slider.max = this.#plane.slices;
    for (const letter of this.letters) letter.textContent = this.#plane.letters[letter.dataset.side];
  }

  draw(volume, shown, window, cursor) {
    const plane = this.#plane;
    const slice = cursor[plane.axis];
    drawSlice(this.#picture, volume, plane, slice, window);
    for (const { mask, color } of shown) drawMask(this.#picture, mask, plane, slice, color);
    this.#buffer.getContext("2d").putImageData(this.#picture, 0, 0);
    if (!this.canvas.clientWidth) return; // another plane is shown alone
    const place = this.#frame.place(this.canvas, plane);
    const context = this.canvas.getContext("2d");
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.drawImage(this.#buffer, place.left, place.top, place.width, place.height);
    this.#drawCrosshair(context, place, plane.pixelOf(cursor));
    this.caption.value = `${slice + 1} / ${plane.slices}`;
    this.slider.value = slice + 1;
    const digits = window.width < 20 ? 2 : 0;
    this.levels.textContent = `W ${window.width.toFixed(digits)}  L ${window.level.toFixed(digits)}`;
  }

  #drawCrosshair(context, place, [x, y]) {
    const at = [
      place.left + ((x + 0.5) / this.#plane.width) * place.width,
      place.top + ((y + 0.5) / this.#plane.height) * place.height,
    ];
    context.strokeStyle = "rgba(255, 214, 102, 0.6)";
    context.lineWidth = place.ratio;
    context.beginPath();
    context.moveTo(at[0], place.top);
    context.lineTo(at[0], place.top + place.height);
    context.moveTo(place.left, at[1]);
    context.lineTo(place.left + place.width, at[1]);
    context.stroke();
  }

  #listen(viewer) {
    const { canvas } = this;
    this.slider.addEventListener("input", () => {
      const index = [...viewer.cursor];
      index[this.#plane.axis] = Number(this.slider.value) - 1;
      viewer.moveTo(index);
    });
    const place = () => this.#frame.place(canvas, this.#plane);
    const zoom = (direction, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) => {
      const now = place();
      this.#frame.zoom(direction, [x * now.ratio, y * now.ratio], now);
      viewer.draw();
    };
    const point = (event, phase) => {
      if (!this.#plane) return;
      const place = this.#frame.place(canvas, this.#plane);
      const x = Math.floor(((event.offsetX * place.ratio - place.left) / place.width) * this.#plane.width);
      const y = Math.floor(((event.offsetY * place.ratio - place.top) / place.height) * this.#plane.height);
      const slice = viewer.cursor[this.#plane.axis];
      if (viewer.tool) viewer.tool[phase](this.#plane, slice, x, y);
      else if (phase !== "up") viewer.moveTo(this.#plane.voxel(x, y, slice));
    };
    const drag = { from: null };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      canvas.focus();
      if (event.button === 2) drag.from = [event.clientX, event.clientY, viewer.window];
      else if (event.button === 0) point(event, "down");
    });
    canvas.addEventListener("pointermove", (event) => {
      if (event.buttons & 2 && drag.from) {
        const [x, y, { level, width }] = drag.from;
        const unit = Math.max(width, 1e-6) / 200;
        viewer.window = {
          level: level + (event.clientY - y) * unit, width: Math.max(width + (event.clientX - x) * unit, 1e-6),
        };
      } else if (event.buttons & 4) {
        const now = place();
        this.#frame.pan([event.movementX * now.ratio, event.movementY * now.ratio], now);
        viewer.draw();
      } else if (event.buttons & 1) point(event, "move");
    });
    canvas.addEventListener("dblclick", () => {
      if (!viewer.tool) viewer.enlarge(this.name);
    });
    canvas.addEventListener("pointerup", (event) => {
      if (event.button === 0) point(event, "up");
    });
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      if (event.ctrlKey) zoom(-Math.sign(event.deltaY), event.offsetX, event.offsetY);
      else this.#step(viewer, this.#notches(event));
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const step = { ArrowUp: -1, PageUp: -5, ArrowDown: 1, PageDown: 5 }[event.key];
      if (step) this.#step(viewer, step);
      else if (event.key === "+") zoom(1);
      else if (event.key === "-") zoom(-1);
      else if (event.key === "0") {
        this.#frame.reset();
        viewer.draw();
      } else if (event.key === "f") viewer.enlarge(this.name);
      else return;
      event.preventDefault();
    });
  }

  /** Notches of the wheel; a touchpad turns it in small portions, which add up. */
  #notches({ deltaY, deltaMode }) {
    if (deltaMode !== WheelEvent.DOM_DELTA_PIXEL || Math.abs(deltaY) >= NOTCH) return Math.sign(deltaY);
    this.#turned += deltaY;
    if (Math.abs(this.#turned) < NOTCH) return 0;
    this.#turned = 0;
    return Math.sign(deltaY);
  }

  /** Step through the slices: down is towards the feet, the back, or the patient's left. */
  #step(viewer, count) {
    if (!this.#plane || !count) return;
    const index = [...viewer.cursor];
    index[this.#plane.axis] -= count * this.#plane.sign;
    viewer.moveTo(index);
  }
}
