/** Voxels of DICOM images: stored values, scaled slice by slice, on the grid of their planes. */

import { FrameDecoder, isDecoded } from "../compression/frames.js";
import { Problem } from "../problem.js";
import { PIXEL_DATA, readFile } from "./data_set.js";
import { frameCount, scalingOf } from "./planes.js";

const PLAIN = new Set(["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"]);
const AHEAD = 8;
const STORED = {
  "8 0": Uint8Array, "8 1": Int8Array, "16 0": Uint16Array, "16 1": Int16Array, "32 0": Uint32Array, "32 1": Int32Array,
};

/**
 * Read the voxels of sorted planes.
 *
 * @param {{image: object, frame: number}[]} frames Image and frame of each plane, in the order of the grid.
 * @param {{grid: Grid, lower: number[], fraction: number[]}} stack Grid, and where planes are to be filled in.
 * @param {number} factor What all values are multiplied with; 1 for none.
 * @returns {Promise<TypedArray>} Voxels in Fortran order (i fastest): 16- or 32-bit integers, or float32.
 */
export async function readVoxels(frames, { grid, lower, fraction }, factor) {
  const size = grid.shape[0] * grid.shape[1];
  const decoder = new FrameDecoder();
  let voxels = new Int16Array(size * frames.length);
  const images = readAhead(frames.map(({ image }) => image), decoder);
  let read = { image: null };
  try {
    for (const [n, { image, frame }] of frames.entries()) {
      if (read.image !== image) read = (await images.next()).value;
      const at = frame * size;
      if (at + size > read.stored.length) throw damaged();
      const slice = scaled(read.stored.subarray(at, at + size), scalingOf(read.dataset, frame));
      voxels = widened(voxels, slice);
      voxels.set(slice, n * size);
    }
  } finally {
    decoder.end();
  }
  if (lower.length !== frames.length || fraction.some((part) => part > 0)) voxels = filled(voxels, size, lower, fraction);
  if (factor === 1) return voxels;
  // As in arithmetic of 32 bits, which the package uses for it.
  return Float32Array.from(voxels, (value) => Math.fround(value) * Math.fround(factor));
}

/** Read images in the order in which they are wanted, some before they are; repeats behind each other count once. */
async function* readAhead(images, decoder) {
  const wanted = images.filter((image, n) => image !== images[n - 1]);
  const begun = [];
  for (let n = 0; n < wanted.length || begun.length;) {
    for (; n < wanted.length && begun.length < AHEAD; n += 1) {
      const reading = readStored(wanted[n], decoder);
      reading.catch(() => {}); // it is told when its turn comes
      begun.push(reading);
    }
    yield await begun.shift();
  }
}

async function readStored(image, decoder) {
  if (!PLAIN.has(image.syntax) && !isDecoded(image.syntax)) {
    throw new Problem(
      "input_unreadable", "The DICOM images are compressed in a way that this page does not read.",
      "Export them uncompressed, or convert the series to NIfTI, for example with dcm2niix.",
    );
  }
  const { dataset } = await readFile(new Uint8Array(await image.file.arrayBuffer()), true);
  if (dataset.items(0x00283000).length) {
    throw new Problem("input_unreadable", "The DICOM images are scaled by a table, which this page does not read.", "Convert the series to NIfTI.");
  }
  const bits = dataset.unsigned(0x00280100, 16);
  const isSigned = dataset.unsigned(0x00280103, 0);
  const Type = STORED[`${bits} ${isSigned}`];
  const announced = { frames: frameCount(dataset), size: dataset.unsigned(0x00280010, 0) * dataset.unsigned(0x00280011, 0), bits };
  const bytes = isDecoded(image.syntax) && Type && bits < 32
    ? await decoder.decode(dataset.fragments(PIXEL_DATA), image.syntax, announced)
    : dataset.bytes(PIXEL_DATA);
  if (!Type || !bytes.length) throw damaged();
  const count = Math.floor(bytes.length / Type.BYTES_PER_ELEMENT);
  const stored = new Type(bytes.slice(0, count * Type.BYTES_PER_ELEMENT).buffer);
  return { image, dataset, stored: inUsedBits(stored, bits, dataset, isSigned) };
}

/** Values without what lies in bits that are not stored, such as old overlays. */
function inUsedBits(stored, bits, dataset, isSigned) {
  const used = dataset.unsigned(0x00280101, bits);
  const spare = bits - 1 - dataset.unsigned(0x00280102, used - 1);
  if (used >= bits || bits === 32) return stored;
  for (let n = 0; n < stored.length; n += 1) {
    const raised = stored[n] << (32 - bits + spare);
    stored[n] = isSigned ? raised >> (32 - used) : raised >>> (32 - used);
  }
  return stored;
}

/** Values of a slice; integers stay integers if slope and intercept are. */
function scaled(stored, { slope, intercept }) {
  const [m, b] = [slope ?? 1, intercept ?? 0];
  if (m === 1 && b === 0) return stored;
  if (Number.isInteger(m) && Number.isInteger(b)) {
    let [low, high] = [Infinity, -Infinity];
    for (const value of stored) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    const ends = [low * m + b, high * m + b].sort((x, y) => x - y);
    for (const Type of [Int16Array, Int32Array]) {
      const most = 2 ** (8 * Type.BYTES_PER_ELEMENT - 1);
      if (ends[0] >= -most && ends[1] < most) return Type.from(stored, (value) => value * m + b);
    }
  }
  return Float32Array.from(stored, (value) => value * m + b);
}

/** Voxels in a type that can also hold the values of a slice. */
function widened(voxels, slice) {
  if (voxels instanceof Float32Array) return voxels;
  if (slice instanceof Float32Array || slice instanceof Uint32Array) return Float32Array.from(voxels);
  const isWide = slice instanceof Int32Array || slice instanceof Uint16Array;
  return isWide && voxels instanceof Int16Array ? Int32Array.from(voxels) : voxels;
}

function filled(voxels, size, lower, fraction) {
  const whole = new voxels.constructor(size * lower.length);
  const isFloat = voxels instanceof Float32Array;
  lower.forEach((below, k) => {
    const part = fraction[k];
    for (let n = 0; n < size; n += 1) {
      const value = voxels[below * size + n];
      const mixed = part === 0 ? value : (1 - part) * value + part * voxels[(below + 1) * size + n];
      whole[k * size + n] = isFloat ? mixed : rounded(mixed);
    }
  });
  return whole;
}

/** The nearest whole number, halves to the even one. */
function rounded(value) {
  const near = Math.round(value);
  return near - value === 0.5 && near % 2 ? near - 1 : near;
}

function damaged() {
  return new Problem("input_unreadable", "A DICOM file does not hold the pixels that it announces.", "Copy the series again.");
}
