/** NIfTI-1 and NIfTI-2 in one file, compressed or not. */

import { Caution } from "../caution.js";
import { Grid, inCOrder } from "../grid.js";
import { Problem } from "../problem.js";

const TYPES = {
  2: Uint8Array, 4: Int16Array, 8: Int32Array, 16: Float32Array, 64: Float64Array,
  256: Int8Array, 512: Uint16Array, 768: Uint32Array,
};
const COLOURS = new Set([128, 2304]);
const TO_MM = { 0: 1, 1: 1000, 2: 1, 3: 0.001 };

/** Whether the bytes are those of a NIfTI file. */
export function isNifti(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return bytes.length > 348 && [348, 540].some((n) => view.getInt32(0, true) === n || view.getInt32(0, false) === n);
}

/**
 * Read a NIfTI file.
 *
 * The sform is used if its code is positive, else the qform. scl_slope and scl_inter are applied, giving
 * float32; without them the voxels keep their type.
 *
 * @param {Uint8Array} bytes The file, inflated.
 * @param {number|null} number Which volume, counted from 1, if there are several.
 * @returns {{grid: Grid, voxels: TypedArray, warnings: Caution[]}} Voxels in C order.
 */
export function readNifti(bytes, number = null) {
  const header = readHeader(bytes);
  const { shape, count } = sizes(header, number);
  const warnings = [];
  const grid = new Grid(shape, affine(header, warnings));
  const size = grid.size;
  const each = TYPES[header.type].BYTES_PER_ELEMENT;
  const start = header.offset + ((number ?? 1) - 1) * size * each;
  if (start + size * each > bytes.length || (count > 1 && number === null)) throw damaged();
  const raw = nativeVoxels(bytes, start, size, header);
  return { grid, voxels: inCOrder(scaled(raw, header), shape), warnings };
}

function readHeader(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = [348, 540].includes(view.getInt32(0, true));
  const two = view.getInt32(0, little) === 540;
  const i16 = (at) => view.getInt16(at, little);
  const i32 = (at) => view.getInt32(at, little);
  const f32 = (at) => view.getFloat32(at, little);
  const f64 = (at) => view.getFloat64(at, little);
  const i64 = (at) => Number(view.getBigInt64(at, little));
  const several = (n, read, at, step) => Array.from({ length: n }, (_, x) => read(at + x * step));
  const magic = String.fromCharCode(...bytes.subarray(two ? 4 : 344, two ? 7 : 347));
  if (!["n+1", "n+2"].includes(magic)) {
    throw new Problem("input_unreadable", "The file is one of a NIfTI or Analyze pair.", "Use a single .nii file.");
  }
  const header = two
    ? {
        dim: several(8, i64, 16, 8), type: i16(12), pixdim: several(8, f64, 104, 8), offset: i64(168),
        slope: f64(176), inter: f64(184), qform: i32(344), sform: i32(348),
        quatern: several(6, f64, 352, 8), srow: several(12, f64, 400, 8), units: i32(500),
      }
    : {
        dim: several(8, i16, 40, 2), type: i16(70), pixdim: several(8, f32, 76, 4), offset: f32(108),
        slope: f32(112), inter: f32(116), qform: i16(252), sform: i16(254),
        quatern: several(6, f32, 256, 4), srow: several(12, f32, 280, 4), units: bytes[123],
      };
  header.little = little;
  if (COLOURS.has(header.type)) {
    throw new Problem("volume_invalid", "The image has colours.", "Use the scan itself, not a picture of it.");
  }
  if (!(header.type in TYPES)) {
    throw new Problem("volume_invalid", "The image has voxels of a type that is not read here.", "Convert it.");
  }
  return header;
}

function sizes({ dim }, number) {
  if (!(dim[0] >= 3 && dim[0] <= 7)) throw damaged();
  const shape = dim.slice(1, 4);
  const count = dim.slice(4, dim[0] + 1).reduce((product, n) => product * Math.max(1, n), 1);
  if (shape.some((n) => n < 1)) throw damaged();
  if (count > 1 && number === null) {
    const problem = new Problem("several_volumes", "The file has {count} volumes.", "Choose one of them.", { values: { count } });
    problem.choices = Array.from({ length: count }, (_, n) => `${n + 1} / ${count}`);
    throw problem;
  }
  return { shape, count };
}

function affine(header, warnings) {
  const scale = TO_MM[header.units & 7] ?? 1;
  const inMm = (matrix) => [...matrix.map((v) => v * scale), 0, 0, 0, 1];
  if (header.sform > 0) return inMm(header.srow);
  if (header.qform > 0) return inMm(fromQuaternion(header));
  warnings.push(new Caution(
    "orientation_unsaid", "The file says nothing about orientation: axes to the left, back and head are assumed, check the result.",
  ));
  const [, x, y, z] = header.pixdim;
  const [I, J, K] = header.dim.slice(1, 4);
  const half = (n, step) => ((n - 1) / 2) * step;
  return inMm([-x, 0, 0, half(I, x), 0, y, 0, -half(J, y), 0, 0, z, -half(K, z)]);
}

function fromQuaternion({ quatern, pixdim }) {
  const [x, y, z] = quatern.slice(3);
  // Rounding may leave the three numbers a little longer than one.
  const length = Math.max(1, Math.hypot(...quatern.slice(0, 3)));
  const [b, c, d] = quatern.slice(0, 3).map((value) => value / length);
  const a = Math.sqrt(Math.max(0, 1 - (b * b + c * c + d * d)));
  const flip = pixdim[0] < 0 ? -1 : 1;
  const [, u, v, w] = pixdim;
  const rotation = [
    [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
    [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
    [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
  ];
  const offset = [x, y, z];
  return rotation.flatMap((row, n) => [row[0] * u, row[1] * v, row[2] * w * flip, offset[n]]);
}

function nativeVoxels(bytes, start, size, { type, little }) {
  const Type = TYPES[type];
  const copy = bytes.slice(start, start + size * Type.BYTES_PER_ELEMENT);
  if (!little) swapBytes(copy, Type.BYTES_PER_ELEMENT);
  return new Type(copy.buffer);
}

/** Reverse the bytes of each value, in place. */
export function swapBytes(bytes, each) {
  for (let at = 0; at < bytes.length; at += each) bytes.subarray(at, at + each).reverse();
}

function scaled(raw, { slope, inter }) {
  // A slope of zero, or one that is not finite, means that nothing is to be scaled.
  const given = Number.isFinite(slope) && slope !== 0 && Number.isFinite(inter);
  if (!given || (slope === 1 && inter === 0)) return raw;
  const values = new Float32Array(raw.length);
  for (let n = 0; n < raw.length; n += 1) values[n] = raw[n] * slope + inter;
  return values;
}

function damaged() {
  return new Problem("input_unreadable", "The file is no NIfTI image, or it is damaged.", "Copy it again.");
}
