/** Files that the user drops: which kind they are, and what is read from them. */

import { readDicomScan } from "../dicom/scan.js";
import { hasDicom } from "../dicom/series.js";
import { isNifti, readNifti } from "./nifti.js";
import { isNrrd, readNrrd } from "./nrrd.js";
import { inflate } from "./packing.js";
import { Problem } from "../problem.js";

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
 * @param {File[]} files One NIfTI or NRRD file, compressed or not, or the DICOM files of a series among any others.
 * @param {number|null} number Which volume or series, counted from 1, if there are several.
 * @returns {Promise<{grid: Grid, voxels: TypedArray, warnings: Caution[], modality: string|undefined,
 *     source: Source|undefined}>} Modality and source of DICOM only.
 * @throws {Problem} With `choices`, texts to choose from, if there are several volumes or series; or why it is no scan.
 */
export async function readScan(files, number = null) {
  if (await hasDicom(files)) return readDicomScan(files, number);
  if (files.length !== 1) {
    throw new Problem("input_unreadable", "There is no DICOM file among these.", "Drop a DICOM folder, or one .nii, .nii.gz or .nrrd file.");
  }
  const [file] = files;
  let bytes = new Uint8Array(await file.arrayBuffer());
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) bytes = await inflate(bytes, "gzip");
  if (isNrrd(bytes)) return readNrrd(bytes);
  if (isNifti(bytes)) return readNifti(bytes, number);
  throw new Problem("input_unreadable", "The file is no scan that is read here.", "Drop a DICOM folder, or a .nii, .nii.gz or .nrrd file.");
}

/** All files that are dropped, those in folders too. */
export async function droppedFiles({ items, files }) {
  const entries = [...items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...files];
  return (await Promise.all(entries.map(filesIn))).flat();
}

async function filesIn(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    // A folder is read in portions.
    const portion = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!portion.length) return (await Promise.all(found.map(filesIn))).flat();
    found.push(...portion);
  }
}

/**
 * Guess the modality of an image, by the rules of `textsegment.modality`.
 *
 * @returns {{code: string, source: "file"|"values"|"name"}}
 */
export function guessModality({ voxels, modality }, name) {
  if (modality) return { code: modality, source: "file" };
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
