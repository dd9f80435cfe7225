/** Voxel grids: the map from voxel indices to millimetres in the patient (RAS), and anatomical directions. */

import { Problem } from "./problem.js";

const ORDERS = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
const LETTERS = [["L", "R"], ["P", "A"], ["I", "S"]];

/** A voxel grid. */
export class Grid {
  /**
   * @param {number[]} shape Voxels along i, j, k.
   * @param {number[]} affine 16 numbers, row by row: (i, j, k, 1) at the centre of a voxel to RAS millimetres.
   */
  constructor(shape, affine) {
    if (shape.length !== 3 || shape.some((n) => !Number.isInteger(n) || n < 1)) {
      throw new Problem("geometry_invalid", "The image is not three-dimensional.", "Choose another file.");
    }
    this.shape = shape;
    this.affine = affine;
    this.columns = [0, 1, 2].map((c) => [affine[c], affine[4 + c], affine[8 + c]]);
    this.origin = [affine[3], affine[7], affine[11]];
    this.spacing = this.columns.map((column) => Math.hypot(...column));
    const volume = determinant(this.columns);
    if (!affine.every(Number.isFinite) || !(Math.abs(volume) > 1e-9)) {
      throw new Problem("geometry_invalid", "The image does not say where its voxels lie.", "Export it again.");
    }
    this.voxelMl = Math.abs(volume) / 1000;
    this.isLeftHanded = volume < 0;
    this.axes = anatomicalAxes(this.columns, this.spacing);
  }

  /** Number of voxels. */
  get size() {
    return this.shape[0] * this.shape[1] * this.shape[2];
  }

  /** Offsets in an array in C order (k fastest) of one step along i, j and k. */
  get strides() {
    return [this.shape[1] * this.shape[2], this.shape[2], 1];
  }

  /** The place of a voxel, or between voxels, in RAS millimetres. */
  toWorld(index) {
    return [0, 1, 2].map((r) => this.origin[r] + this.columns.reduce((sum, c, n) => sum + c[r] * index[n], 0));
  }

  /** Orientation of i, j, k as letters of where they point to, such as "LPS". */
  get orientation() {
    const letters = [];
    this.axes.forEach(({ axis, sign }, direction) => {
      letters[axis] = LETTERS[direction][sign > 0 ? 1 : 0];
    });
    return letters.join("");
  }
}

/** For each anatomical direction R, A, S: the voxel axis closest to it, and whether it points that way (1) or away (-1). */
function anatomicalAxes(columns, spacing) {
  const cosine = (axis, direction) => columns[axis][direction] / spacing[axis];
  const fit = (order) => order.reduce((sum, axis, direction) => sum + Math.abs(cosine(axis, direction)), 0);
  const best = ORDERS.reduce((a, b) => (fit(b) > fit(a) + 1e-9 ? b : a));
  return best.map((axis, direction) => ({ axis, sign: cosine(axis, direction) < 0 ? -1 : 1 }));
}

function determinant([a, b, c]) {
  return (
    a[0] * (b[1] * c[2] - b[2] * c[1]) - b[0] * (a[1] * c[2] - a[2] * c[1]) + c[0] * (a[1] * b[2] - a[2] * b[1])
  );
}

/** Copy voxels from an array in Fortran order (i fastest, as files have them) into one in C order (k fastest). */
export function inCOrder(voxels, [I, J, K]) {
  const ordered = new voxels.constructor(voxels.length);
  // In blocks, so that both arrays stay in the cache.
  const block = 32;
  for (let j = 0; j < J; j += 1) {
    for (let k0 = 0; k0 < K; k0 += block) {
      for (let i0 = 0; i0 < I; i0 += block) {
        const kEnd = Math.min(k0 + block, K);
        const iEnd = Math.min(i0 + block, I);
        for (let k = k0; k < kEnd; k += 1) {
          const from = (k * J + j) * I;
          for (let i = i0; i < iEnd; i += 1) ordered[(i * J + j) * K + k] = voxels[from + i];
        }
      }
    }
  }
  return ordered;
}
