/**
 * Slices along the voxel axes, as pictures.
 *
 * Radiological convention: the patient's right is on the left of the screen, the front at the top (axial) or on
 * the left (sagittal), the head at the top.
 */

const LETTERS = [["L", "R"], ["P", "A"], ["I", "S"]];

/** For each plane: the anatomical directions (R, A, S) along the screen, to the right and down, and across it. */
export const PLANES = {
  axial: { right: 0, down: 1, across: 2 },
  coronal: { right: 0, down: 2, across: 1 },
  sagittal: { right: 1, down: 2, across: 0 },
};

/** How a plane of a grid lies on the screen. */
export class Plane {
  /**
   * @param {Grid} grid Grid of the image.
   * @param {"axial"|"coronal"|"sagittal"} name Which plane: the one closest to it along the voxel axes.
   */
  constructor(grid, name) {
    const { right, down, across } = PLANES[name];
    this.name = name;
    this.x = screenAxis(grid, right);
    this.y = screenAxis(grid, down);
    this.axis = grid.axes[across].axis;
    this.sign = grid.axes[across].sign;
    this.slices = grid.shape[this.axis];
    this.width = this.x.size;
    this.height = this.y.size;
    // Millimetres of a pixel, for the shape of the picture.
    this.pixel = [grid.spacing[this.x.axis], grid.spacing[this.y.axis]];
    // On the screen right and down are where R, A, S decrease.
    this.letters = { left: LETTERS[right][1], right: LETTERS[right][0], top: LETTERS[down][1], bottom: LETTERS[down][0] };
  }

  /** The voxel under a pixel of a slice. */
  voxel(x, y, slice) {
    const index = [0, 0, 0];
    index[this.x.axis] = this.x.flipped ? this.width - 1 - x : x;
    index[this.y.axis] = this.y.flipped ? this.height - 1 - y : y;
    index[this.axis] = slice;
    return index;
  }

  /** The pixel at which a voxel is drawn. */
  pixelOf(index) {
    const x = index[this.x.axis];
    const y = index[this.y.axis];
    return [this.x.flipped ? this.width - 1 - x : x, this.y.flipped ? this.height - 1 - y : y];
  }
}

function screenAxis(grid, direction) {
  const { axis, sign } = grid.axes[direction];
  // The screen runs towards decreasing R, A, S: an axis that points that way runs with it.
  return { axis, flipped: sign > 0, size: grid.shape[axis] };
}

/** Draw a slice of the image in grey into an ImageData of the size of the plane. */
export function drawSlice(picture, volume, plane, slice, { level, width }) {
  const pixels = new Uint32Array(picture.data.buffer);
  const { voxels, grid } = volume;
  const step = steps(plane, grid.strides);
  const start = step.start + slice * grid.strides[plane.axis];
  const low = level - width / 2;
  const scale = 255 / width;
  for (let y = 0, n = 0; y < plane.height; y += 1) {
    let at = start + y * step.y;
    for (let x = 0; x < plane.width; x += 1, n += 1, at += step.x) {
      const value = (voxels[at] - low) * scale;
      const grey = value <= 0 ? 0 : value >= 255 ? 255 : value | 0;
      pixels[n] = 0xff000000 | (grey * 0x010101);
    }
  }
}

/**
 * Draw a mask over a slice: filled lightly, with its border in the full colour.
 *
 * @param {number[]} color Red, green and blue, 0 to 255.
 */
export function drawMask(picture, mask, plane, slice, color) {
  if (mask.isEmpty || slice < mask.start[plane.axis] || slice >= mask.stop[plane.axis]) return;
  const [, J, K] = mask.shape;
  const step = [J * K, K, 1];
  const offset = (slice - mask.start[plane.axis]) * step[plane.axis];
  const [ax, ay] = [plane.x.axis, plane.y.axis];
  const [width, height] = [mask.shape[ax], mask.shape[ay]];
  const has = (u, v) => u >= 0 && v >= 0 && u < width && v < height && mask.has(offset + u * step[ax] + v * step[ay]);
  for (let v = 0; v < height; v += 1) {
    for (let u = 0; u < width; u += 1) {
      if (!has(u, v)) continue;
      const inner = has(u - 1, v) && has(u + 1, v) && has(u, v - 1) && has(u, v + 1);
      const index = [0, 0, 0];
      index[ax] = mask.start[ax] + u;
      index[ay] = mask.start[ay] + v;
      const [x, y] = plane.pixelOf(index);
      blend(picture.data, 4 * (y * plane.width + x), color, inner ? 0.3 : 1);
    }
  }
}

function steps(plane, strides) {
  const { x, y } = plane;
  return {
    x: x.flipped ? -strides[x.axis] : strides[x.axis],
    y: y.flipped ? -strides[y.axis] : strides[y.axis],
    start: (x.flipped ? (x.size - 1) * strides[x.axis] : 0) + (y.flipped ? (y.size - 1) * strides[y.axis] : 0),
  };
}

function blend(data, at, color, opacity) {
  for (let c = 0; c < 3; c += 1) data[at + c] += (color[c] - data[at + c]) * opacity;
}
