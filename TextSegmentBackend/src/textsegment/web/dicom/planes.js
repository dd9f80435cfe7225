/** Where the planes of DICOM images lie, and how their stored values are scaled (PS3.3 C.7.6.2, C.7.6.16). */

import { Problem } from "../problem.js";
import { DataSet } from "./data_set.js";

const ROWS = 0x00280010;
const COLUMNS = 0x00280011;
const FRAMES = 0x00280008;
const SHARED = 0x52009229;
const PER_FRAME = 0x52009230;
const SLOPE = 0x00281053;
const INTERCEPT = 0x00281052;
const TRANSFORMATION = 0x00289145;

/** Number of planes in a file. */
export function frameCount(dataset) {
  return Math.max(1, dataset.decimal(FRAMES, 1));
}

/** Whether the file says where its planes lie, unlike screenshots and dose pages. */
export function isPlaced(dataset) {
  return dataset.has(0x00200032) || dataset.items(PER_FRAME).length > 0;
}

/** Whether the type of the image contains a word such as LOCALIZER. */
export function hasImageType(dataset, word) {
  return dataset.texts(0x00080008).includes(word);
}

/**
 * The plane of each frame: `position` of the first pixel, unit vectors `i` and `j` towards the next column and row,
 * all LPS millimetres, `spacing` and `shape` along i and j, and `thickness` or null.
 *
 * @throws {Problem} If the file does not say where they lie, or is a picture in colour or a mosaic.
 */
export function planesOf(dataset) {
  const isGrey = (dataset.text(0x00280004) || "MONOCHROME").startsWith("MONOCHROME");
  if (dataset.unsigned(0x00280002, 1) !== 1 || !isGrey) {
    throw new Problem("volume_invalid", "The DICOM image is a colour picture.", "Choose the series of the scan itself.");
  }
  if (hasImageType(dataset, "MOSAIC")) {
    throw new Problem("volume_invalid", "The DICOM image is a mosaic: many slices side by side.", "Convert it to NIfTI.");
  }
  const count = frameCount(dataset);
  if (count === 1 && !dataset.holds(PER_FRAME)) return [plane(dataset, dataset, dataset, dataset)];
  const frames = dataset.items(PER_FRAME);
  if (frames.length !== count) {
    throw new Problem("geometry_invalid", "The DICOM file has several frames and does not say where they lie.", "Choose another series.");
  }
  return frames.map((frame) => plane(
    dataset, group(dataset, frame, 0x00209113), group(dataset, frame, 0x00209116), group(dataset, frame, 0x00289110),
  ));
}

/** Slope and intercept of a frame, counted from 0: its own, or else those of the file; null where none is said. */
export function scalingOf(dataset, frame) {
  const frames = dataset.items(PER_FRAME);
  const own = frame < frames.length ? group(dataset, frames[frame], TRANSFORMATION) : new DataSet();
  const [slope, intercept] = [SLOPE, INTERCEPT].map((tag) => own.decimal(tag, dataset.decimal(tag, null)));
  return { slope, intercept };
}

function group(dataset, frame, tag) {
  const own = frame.items(tag);
  return own.length ? own[0] : dataset.item(SHARED).item(tag);
}

function plane(dataset, placed, oriented, measured) {
  const position = numbers(placed, 0x00200032, 3);
  const directions = numbers(oriented, 0x00200037, 6);
  const [betweenRows, betweenColumns] = numbers(measured, 0x00280030, 2);
  const [i, j] = [directions.slice(0, 3), directions.slice(3)];
  const lengths = [Math.hypot(...i), Math.hypot(...j)];
  const cosine = i[0] * j[0] + i[1] * j[1] + i[2] * j[2];
  // Vectors that are written with few digits are nearly of length one: the spacing alone says the size of voxels.
  if (lengths.some((length) => Math.abs(length - 1) > 0.01) || Math.abs(cosine) > 0.01) {
    throw new Problem("geometry_invalid", "The orientation of the DICOM image is no rotation.", "Repair its header.");
  }
  const thickness = measured.decimal(0x00180050, 0);
  return {
    position,
    i: i.map((value) => value / lengths[0]),
    j: j.map((value) => value / lengths[1]),
    spacing: [betweenColumns, betweenRows],
    shape: [dataset.unsigned(COLUMNS, 0), dataset.unsigned(ROWS, 0)],
    thickness: thickness || null,
  };
}

function numbers(dataset, tag, count) {
  const values = dataset.decimals(tag);
  if (values.length !== count || !values.every(Number.isFinite)) {
    throw new Problem(
      "geometry_invalid", "The DICOM image does not say where it lies in the patient.",
      "Choose a series of slices, not a single radiograph or screenshot.",
    );
  }
  return values;
}
