/** NRRD with attached data (.nrrd), raw or gzip: the form in which 3D Slicer saves volumes. */

import { Grid, inCOrder } from "../grid.js";
import { swapBytes } from "./nifti.js";
import { inflate } from "./packing.js";
import { Problem } from "../problem.js";

const TYPES = {
  int8: Int8Array, uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array,
  int32: Int32Array, uint32: Uint32Array, float: Float32Array, double: Float64Array,
};
const NAMES = {
  "signed char": "int8", char: "int8", int8_t: "int8", uchar: "uint8", "unsigned char": "uint8", uint8_t: "uint8",
  short: "int16", "signed short": "int16", int16_t: "int16", ushort: "uint16", "unsigned short": "uint16",
  uint16_t: "uint16", int: "int32", "signed int": "int32", int32_t: "int32", uint: "uint32",
  "unsigned int": "uint32", uint32_t: "uint32",
};
// The signs by which each coordinate of a space becomes one of RAS.
const SPACES = {
  "right-anterior-superior": [1, 1, 1], ras: [1, 1, 1],
  "left-anterior-superior": [-1, 1, 1], las: [-1, 1, 1],
  "left-posterior-superior": [-1, -1, 1], lps: [-1, -1, 1],
};

/** Whether the bytes are those of an NRRD file. */
export function isNrrd(bytes) {
  return String.fromCharCode(...bytes.subarray(0, 4)) === "NRRD";
}

/**
 * Read an NRRD file.
 *
 * @param {Uint8Array} bytes The file.
 * @returns {Promise<{grid: Grid, voxels: TypedArray, warnings: Caution[]}>} Voxels in C order.
 */
export async function readNrrd(bytes) {
  const { fields, end } = readHeader(bytes);
  const shape = numbers(fields.sizes);
  if (Number(fields.dimension) !== 3 || shape.length !== 3) {
    throw new Problem("volume_invalid", "The file is no single three-dimensional volume.", "Export one volume of it.");
  }
  if (fields["data file"] || fields.datafile) {
    throw new Problem("input_unreadable", "The voxels are in another file.", "Save it as one .nrrd file.");
  }
  const name = NAMES[fields.type] ?? fields.type;
  const Type = TYPES[name];
  if (!Type) throw new Problem("volume_invalid", "The voxels are of a type that is not read here.", "Convert them.");
  const grid = new Grid(shape, affine(fields));
  let data = bytes.subarray(end);
  if (["gzip", "gz"].includes(fields.encoding)) data = await inflate(data, "gzip");
  else if (fields.encoding !== "raw") {
    throw new Problem("input_unreadable", "The file is packed in a way that is not read here.", "Save it with gzip.");
  }
  const wanted = grid.size * Type.BYTES_PER_ELEMENT;
  if (data.length < wanted) throw new Problem("input_unreadable", "The file ends too early.", "Copy it again.");
  const copy = data.slice(0, wanted);
  if (fields.endian === "big") swapBytes(copy, Type.BYTES_PER_ELEMENT);
  return { grid, voxels: inCOrder(new Type(copy.buffer), shape), warnings: [] };
}

function readHeader(bytes) {
  const fields = {};
  let at = 0;
  for (;;) {
    const stop = bytes.indexOf(10, at);
    if (stop < 0 || stop > 1_000_000) throw new Problem("input_unreadable", "The file is no NRRD image.", "Copy it again.");
    const line = new TextDecoder().decode(bytes.subarray(at, stop)).replace(/\r$/, "");
    at = stop + 1;
    if (line === "") return { fields, end: at };
    const colon = line.indexOf(":");
    if (line.startsWith("#") || colon < 0 || line[colon + 1] === "=") continue;
    fields[line.slice(0, colon).trim().toLowerCase()] = line.slice(colon + 1).trim();
  }
}

function affine(fields) {
  const signs = SPACES[(fields.space ?? "").toLowerCase()];
  const columns = vectors(fields["space directions"]);
  const origin = vectors(fields["space origin"])[0];
  if (!signs || columns.length !== 3 || !origin) {
    throw new Problem(
      "geometry_invalid", "The file does not say where its voxels lie in the patient.", "Save it again from a viewer.",
    );
  }
  const row = (r) => [...columns.map((column) => signs[r] * column[r]), signs[r] * origin[r]];
  return [...row(0), ...row(1), ...row(2), 0, 0, 0, 1];
}

function numbers(text) {
  return (text ?? "").split(/\s+/).filter(Boolean).map(Number);
}

function vectors(text) {
  return [...(text ?? "").matchAll(/\(([^)]*)\)/g)].map((found) => found[1].split(",").map(Number));
}
