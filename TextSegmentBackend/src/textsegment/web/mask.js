/** Masks: one bit a voxel of their box, as they come from the server; they may overlap. */

const ONES = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll("0", "").length);

/** The mask of one structure. */
export class Mask {
  /**
   * @param {object} head Structure, start and stop of the box, statistics and warnings, which are cautions:
   *     docs/protocol.md, section 6.
   * @param {Uint8Array} bits Voxels of the box in C order, the first in the highest bit.
   */
  constructor(head, bits) {
    this.structure = head.structure;
    /** What the model is asked for it; null for what only a person has drawn. */
    this.prompt = head.structure;
    this.start = head.start;
    this.stop = head.stop;
    this.statistics = head.statistics;
    this.warnings = head.warnings;
    this.bits = bits;
    this.shape = head.start.map((first, axis) => head.stop[axis] - first);
  }

  /** Voxels of the box. */
  get boxSize() {
    return this.shape[0] * this.shape[1] * this.shape[2];
  }

  /** Whether the structure was not found. */
  get isEmpty() {
    return this.statistics.voxel_count === 0;
  }

  /** Number of voxels, counted. */
  count() {
    return this.bits.reduce((sum, byte) => sum + ONES[byte], 0);
  }

  /** Whether the mask has the voxel at a place in its box. */
  has(n) {
    return (this.bits[n >> 3] & (128 >> (n & 7))) !== 0;
  }

  /** Index along an axis of the slice with the most voxels, and the middle of that slice, as a voxel (i, j, k). */
  largestSlice(axis) {
    const counts = new Float64Array(this.shape[axis]);
    const sums = this.shape.map(() => new Float64Array(this.shape[axis]));
    this.each((i, j, k) => {
      const at = [i, j, k];
      counts[at[axis]] += 1;
      at.forEach((value, other) => { sums[other][at[axis]] += value; });
    });
    const slice = counts.indexOf(Math.max(...counts));
    return sums.map((sum, other) => this.start[other] + Math.round(sum[slice] / counts[slice]));
  }

  /** Call a function with the place in the box of every voxel of the mask. */
  each(visit) {
    const [, J, K] = this.shape;
    for (let byte = 0; byte < this.bits.length; byte += 1) {
      if (this.bits[byte] === 0) continue;
      for (let bit = 0; bit < 8; bit += 1) {
        if ((this.bits[byte] & (128 >> bit)) === 0) continue;
        const n = byte * 8 + bit;
        const k = n % K;
        const j = ((n - k) / K) % J;
        visit((n - k - j * K) / (J * K), j, k);
      }
    }
  }

  /** Write a value into an array in C order of the whole grid, wherever the mask is. */
  paint(voxels, [, J, K], value) {
    const [i0, j0, k0] = this.start;
    this.each((i, j, k) => { voxels[((i0 + i) * J + j0 + j) * K + k0 + k] = value; });
  }

  /** Whether an array in C order of the whole grid has anything where the mask is. */
  meets(voxels, [, J, K]) {
    const [i0, j0, k0] = this.start;
    let met = false;
    this.each((i, j, k) => { met ||= voxels[((i0 + i) * J + j0 + j) * K + k0 + k] !== 0; });
    return met;
  }
}

/** An empty mask of a structure that is to be drawn. */
export function drawnMask(structure) {
  const statistics = { voxel_count: 0, volume_ml: 0, mean_intensity: null, mean_confidence: null, touches_border: false };
  const mask = new Mask({ structure, start: [0, 0, 0], stop: [0, 0, 0], statistics, warnings: [] }, new Uint8Array(0));
  mask.prompt = null;
  return mask;
}
