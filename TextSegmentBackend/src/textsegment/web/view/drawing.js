/** A mask that is being drawn in: pen, eraser, undo. Slices that were drawn in are known, all else may follow. */

import { Mask } from "../mask.js";

/** One voxel a byte on the whole grid, and which slices were drawn in. */
export class Drawing {
  #strokes = [];

  /**
   * @param {Grid} grid Grid of the image.
   * @param {Mask} mask The mask to begin with; it stays as it is.
   */
  constructor(grid, mask) {
    this.grid = grid;
    this.mask = mask;
    this.voxels = new Uint8Array(grid.size);
    mask.paint(this.voxels, grid.shape, 1);
    // As `drawMask` wants it.
    this.start = [0, 0, 0];
    this.stop = grid.shape;
    this.shape = grid.shape;
    this.isEmpty = false;
  }

  /** Whether the voxel at a place in the grid belongs to the structure. */
  has(n) {
    return this.voxels[n] === 1;
  }

  /** Slices that were drawn in, each once, in the order in which they were first: `{axis, slice}`. */
  get edits() {
    const seen = new Map(this.#strokes.map(({ plane, slice }) => [`${plane.axis} ${slice}`, { axis: plane.axis, slice }]));
    return [...seen.values()];
  }

  /** Begin a stroke in a slice; everything until the next one is undone together. */
  begin(plane, slice) {
    this.#strokes.push({ plane, slice, before: this.#read(plane, slice) });
  }

  /**
   * Draw a disc into the slice of the stroke.
   *
   * @param {number} x Pixel of the plane at its middle.
   * @param {number} y Pixel of the plane at its middle.
   * @param {number} radiusMm Radius in millimetres.
   * @param {boolean} inside Whether to draw, or to erase.
   */
  disc(x, y, radiusMm, inside) {
    const { plane, slice } = this.#strokes.at(-1);
    const reach = plane.pixel.map((mm) => Math.floor(radiusMm / mm));
    for (let dy = -reach[1]; dy <= reach[1]; dy += 1) {
      for (let dx = -reach[0]; dx <= reach[0]; dx += 1) {
        const [px, py] = [x + dx, y + dy];
        const isIn = (dx * plane.pixel[0]) ** 2 + (dy * plane.pixel[1]) ** 2 <= radiusMm ** 2;
        if (isIn && px >= 0 && py >= 0 && px < plane.width && py < plane.height) {
          this.voxels[this.#place(plane, px, py, slice)] = inside ? 1 : 0;
        }
      }
    }
  }

  /** End a stroke: what it has enclosed belongs to the structure. */
  fillEnclosed() {
    const { plane, slice, before } = this.#strokes.at(-1);
    const open = outside(before, plane.width, plane.height);
    const now = this.#read(plane, slice);
    const stillOpen = outside(now, plane.width, plane.height);
    for (let n = 0; n < now.length; n += 1) {
      if (open[n] && !stillOpen[n]) now[n] = 1;
    }
    this.#write(plane, slice, now);
  }

  /** Take the last stroke back. */
  undo() {
    const { plane, slice, before } = this.#strokes.pop();
    this.#write(plane, slice, before);
  }

  /** The pixels of a slice that was drawn in, in C order of a box one voxel thick. */
  slicePixels({ axis, slice }) {
    const strides = this.grid.strides;
    const [u, v] = [0, 1, 2].filter((other) => other !== axis);
    const pixels = new Uint8Array(this.grid.shape[u] * this.grid.shape[v]);
    let n = 0;
    for (let a = 0; a < this.grid.shape[u]; a += 1) {
      for (let b = 0; b < this.grid.shape[v]; b += 1, n += 1) {
        pixels[n] = this.voxels[a * strides[u] + b * strides[v] + slice * strides[axis]];
      }
    }
    return pixels;
  }

  /** The drawn mask, with new figures; its mean intensity and confidence are not known. */
  toMask() {
    const { start, stop } = this.#box();
    const shape = start.map((first, axis) => stop[axis] - first);
    const inside = new Uint8Array(shape[0] * shape[1] * shape[2]);
    const strides = this.grid.strides;
    let [n, count] = [0, 0];
    for (let i = start[0]; i < stop[0]; i += 1) {
      for (let j = start[1]; j < stop[1]; j += 1) {
        for (let k = start[2]; k < stop[2]; k += 1, n += 1) {
          inside[n] = this.voxels[i * strides[0] + j * strides[1] + k];
          count += inside[n];
        }
      }
    }
    const touches = count > 0 && start.some((first, axis) => first === 0 || stop[axis] === this.grid.shape[axis]);
    const statistics = {
      voxel_count: count, volume_ml: count * this.grid.voxelMl, mean_intensity: null, mean_confidence: null,
      touches_border: touches,
    };
    const made = new Mask({ structure: this.mask.structure, start, stop, statistics, warnings: this.mask.warnings }, packed(inside));
    made.prompt = this.mask.prompt;
    return made;
  }

  #box() {
    const start = [...this.grid.shape];
    const stop = [0, 0, 0];
    const [I, J, K] = this.grid.shape;
    for (let i = 0, n = 0; i < I; i += 1) {
      for (let j = 0; j < J; j += 1) {
        for (let k = 0; k < K; k += 1, n += 1) {
          if (!this.voxels[n]) continue;
          [i, j, k].forEach((value, axis) => {
            start[axis] = Math.min(start[axis], value);
            stop[axis] = Math.max(stop[axis], value + 1);
          });
        }
      }
    }
    return stop[0] ? { start, stop } : { start: [0, 0, 0], stop: [0, 0, 0] };
  }

  #place(plane, x, y, slice) {
    const index = plane.voxel(x, y, slice);
    const strides = this.grid.strides;
    return index[0] * strides[0] + index[1] * strides[1] + index[2];
  }

  #read(plane, slice) {
    const pixels = new Uint8Array(plane.width * plane.height);
    for (let y = 0, n = 0; y < plane.height; y += 1) {
      for (let x = 0; x < plane.width; x += 1, n += 1) pixels[n] = this.voxels[this.#place(plane, x, y, slice)];
    }
    return pixels;
  }

  #write(plane, slice, pixels) {
    for (let y = 0, n = 0; y < plane.height; y += 1) {
      for (let x = 0; x < plane.width; x += 1, n += 1) this.voxels[this.#place(plane, x, y, slice)] = pixels[n];
    }
  }
}

/** Bits of zeros and ones, eight to a byte, the first in the highest bit. */
export function packed(inside) {
  const bits = new Uint8Array(Math.ceil(inside.length / 8));
  for (let n = 0; n < inside.length; n += 1) {
    if (inside[n]) bits[n >> 3] |= 128 >> (n & 7);
  }
  return bits;
}

/** Which pixels of a slice can be reached from its border without crossing the structure. */
function outside(pixels, width, height) {
  const reached = new Uint8Array(pixels.length);
  const waiting = [];
  const visit = (x, y) => {
    const n = y * width + x;
    if (x < 0 || y < 0 || x >= width || y >= height || reached[n] || pixels[n]) return;
    reached[n] = 1;
    waiting.push(n);
  };
  for (let x = 0; x < width; x += 1) { visit(x, 0); visit(x, height - 1); }
  for (let y = 0; y < height; y += 1) { visit(0, y); visit(width - 1, y); }
  while (waiting.length) {
    const n = waiting.pop();
    const [x, y] = [n % width, Math.floor(n / width)];
    visit(x - 1, y);
    visit(x + 1, y);
    visit(x, y - 1);
    visit(x, y + 1);
  }
  return reached;
}
