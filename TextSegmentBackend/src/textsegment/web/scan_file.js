/** Files that the user drops: which kind they are, and what is read from them. */

import { isNifti, readNifti } from "./nifti.js";
import { isNrrd, readNrrd } from "./nrrd.js";
import { inflate } from "./packing.js";
import { Problem } from "./problem.js";

const SAMPLES = 500_000;
const PADDING_HU = [-1000, -1024, -2000, -2048, -3024];
const WORDS = [
  ["CT", /(?<![a-z])(ct|cta|cect|ncct|ldct|hrct|cbct)(?![a-z])/i],
  ["MR", /(?<![a-z])(mr|mri|t1|t1w|t2|t2w|flair|dwi|adc|mprage|swi|t1c|t1ce|dixon|vibe)(?![a-z])/i],
  ["PT", /(?<![a-z])(pet|pt|suv|fdg|psma)(?![a-z])/i],
];

/**
 * Read a scan.
 *
 * @param {File} file NIfTI or NRRD, compressed or not.
 * @param {number|null} number Which volume, counted from 1, if the file has several.
 * @returns {Promise<{grid: Grid, voxels: TypedArray, warnings: string[]}>}
 */
export async function readScan(file, number = null) {
  let bytes = new Uint8Array(await file.arrayBuffer());
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) bytes = await inflate(bytes, "gzip");
  if (isNrrd(bytes)) return readNrrd(bytes);
  if (isNifti(bytes)) return readNifti(bytes, number);
  if (String.fromCharCode(...bytes.subarray(128, 132)) === "DICM") {
    throw new Problem("input_unreadable", "DICOM files are not read by this page.", "Convert the series to NIfTI or NRRD.");
  }
  throw new Problem("input_unreadable", "The file is no scan that is read here.", "Drop a .nii, .nii.gz or .nrrd file.");
}

/**
 * Guess the modality of an image, by the rules of `textsegment.modality`.
 *
 * @returns {{code: string, source: "values"|"name"}}
 */
export function guessModality({ voxels }, name) {
  const named = WORDS.filter(([, words]) => words.test(name)).map(([code]) => code);
  if (looksLikeHounsfield(voxels)) return { code: "CT", source: named[0] === "CT" ? "name" : "values" };
  return named.length === 1 ? { code: named[0], source: "name" } : { code: "MR", source: "values" };
}

function looksLikeHounsfield(voxels) {
  const step = Math.max(1, Math.floor(voxels.length / SAMPLES));
  const sample = [];
  for (let n = 0; n < voxels.length; n += step) sample.push(voxels[n]);
  const sorted = Float64Array.from(sample).sort();
  if (sorted[Math.floor(0.99 * (sorted.length - 1))] >= 6000) return false;
  const low = sorted.findIndex((value) => value >= -80);
  return (low < 0 ? sorted.length : low) / sorted.length >= 0.005 || PADDING_HU.includes(sorted[0]);
}
