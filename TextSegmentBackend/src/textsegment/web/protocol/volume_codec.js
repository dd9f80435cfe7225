/** Volumes in the form in which they travel to the server: docs/protocol.md, section 4. */

import { crc32, deflate } from "../files/packing.js";
import { Problem } from "../problem.js";

const CHUNK_BYTES = 262144;
const HEADER_BYTES = 156;
const TYPES = [
  [null, "|b1"], [Int8Array, "|i1"], [Uint8Array, "|u1"], [Int16Array, "<i2"], [Uint16Array, "<u2"],
  [Int32Array, "<i4"], [Float32Array, "<f4"], [Float64Array, "<f8"],
];

/** A scan: its grid, its voxels in C order, and its modality (CT, MR or PT). */
export class Volume {
  // Computed once: it reads all voxels, and they never change.
  #digest;

  constructor(grid, voxels, modality) {
    this.grid = grid;
    this.voxels = transmissible(voxels);
    this.modality = modality;
    this.range = range(this.voxels);
    const [low, high] = this.range;
    if (!(Number.isFinite(low) && Number.isFinite(high))) {
      throw new Problem(
        "volume_invalid", "The image holds voxels that are NaN or infinite.", "Replace them before segmenting.",
      );
    }
    if (low === high) {
      throw new Problem("volume_invalid", "All voxels have the same value: there is nothing to segment.", "");
    }
  }

  /** The name under which the server knows the volume: the SHA-256 of type, shape, place and voxels. */
  digest() {
    this.#digest ??= this.#computeDigest();
    return this.#digest;
  }

  async #computeDigest() {
    const text = `${this.modality}|${this.#type.name}|(${this.grid.shape.join(", ")})|`;
    const all = new Uint8Array(text.length + 128 + this.voxels.byteLength);
    all.set(new TextEncoder().encode(text));
    all.set(new Uint8Array(Float64Array.from(this.grid.affine).buffer), text.length);
    all.set(this.#bytes, text.length + 128);
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", all));
    return [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  /**
   * The body of an upload.
   *
   * @param {number} first Number of chunks that the server has already.
   * @param {boolean} packed Whether to compress; of no use on loopback.
   * @returns {Promise<Blob>}
   */
  async upload(first, packed) {
    const pieces = [this.#header(first, packed)];
    for (let at = first * CHUNK_BYTES; at < this.voxels.byteLength; at += CHUNK_BYTES) {
      const raw = this.#bytes.subarray(at, at + CHUNK_BYTES);
      const payload = packed ? await deflate(shuffled(raw, this.voxels.BYTES_PER_ELEMENT), "deflate") : raw;
      const head = new DataView(new ArrayBuffer(8));
      head.setUint32(0, payload.length, true);
      head.setUint32(4, crc32(payload), true);
      pieces.push(head, payload);
    }
    return new Blob(pieces);
  }

  get #bytes() {
    return new Uint8Array(this.voxels.buffer, this.voxels.byteOffset, this.voxels.byteLength);
  }

  get #type() {
    const code = TYPES.findIndex(([Type]) => Type === this.voxels.constructor);
    return { code, name: TYPES[code][1] };
  }

  #header(first, packed) {
    const view = new DataView(new ArrayBuffer(HEADER_BYTES));
    const bytes = new Uint8Array(view.buffer);
    bytes.set(new TextEncoder().encode("TSV1"));
    view.setUint8(4, packed ? 1 : 0);
    view.setUint8(5, this.#type.code);
    bytes.set(new TextEncoder().encode(this.modality), 6);
    this.grid.shape.forEach((n, axis) => view.setUint32(8 + 4 * axis, n, true));
    view.setUint32(20, first, true);
    this.grid.affine.forEach((value, n) => view.setFloat64(24 + 8 * n, value, true));
    view.setUint32(152, crc32(bytes.subarray(0, 152)), true);
    return bytes;
  }
}

/** Voxels in a type that can travel, with the same values. */
function transmissible(voxels) {
  if (!(voxels instanceof Uint32Array)) return voxels;
  let high = 0;
  for (const value of voxels) high = Math.max(high, value);
  return high < 2 ** 31 ? Int32Array.from(voxels) : Float64Array.from(voxels);
}

function range(voxels) {
  let low = Infinity;
  let high = -Infinity;
  for (let n = 0; n < voxels.length; n += 1) {
    const value = voxels[n];
    if (value < low) low = value;
    if (value > high) high = value;
    if (value !== value) return [NaN, NaN];
  }
  return [low, high];
}

/** Bytes grouped by significance: first byte 0 of all voxels, then byte 1 of all voxels, and so on. */
function shuffled(raw, each) {
  if (each === 1) return raw;
  const count = raw.length / each;
  const grouped = new Uint8Array(raw.length);
  for (let byte = 0; byte < each; byte += 1) {
    for (let voxel = 0; voxel < count; voxel += 1) grouped[byte * count + voxel] = raw[voxel * each + byte];
  }
  return grouped;
}
