/** Which DICOM files make up the scan: grouped by series, chosen only where the choice is clear. */

import { Caution } from "../caution.js";
import { Problem } from "../problem.js";
import { isDicom, readFile } from "./data_set.js";
import { frameCount, hasImageType, isPlaced, planesOf } from "./planes.js";

// Headers are short but for those with long private elements.
const HEAD_BYTES = [2 ** 14, 2 ** 19];
// Series with fewer planes are scouts or screenshots if there is a longer one.
const FEWEST_PLANES = 4;
const MOST_STRAYS = 3;
const NO_SCAN = new Set(["SEG", "RTDOSE", "RTIMAGE", "RTSTRUCT", "RTPLAN", "SR", "PR", "KO", "REG", "DOC"]);

/** An image of a series: its file, and its header without pixels. */
class Image {
  constructor(file, dataset, syntax) {
    Object.assign(this, { file, dataset, syntax });
    this.modality = dataset.text(0x00080060);
    this.series = dataset.text(0x0020000e);
    this.number = dataset.text(0x00200011);
    this.sopClass = dataset.text(0x00080016);
  }
}

/** Whether any of the files is of DICOM. */
export async function hasDicom(files) {
  for (const file of files) {
    if (isDicom(new Uint8Array(await file.slice(0, 140).arrayBuffer()))) return true;
  }
  return false;
}

/**
 * Find the images of the scan.
 *
 * @param {File[]} files Any files; those that are no images of DICOM are passed over.
 * @param {number|null} number Which series, counted from 1, if there are several.
 * @returns {Promise<{images: Image[], modality: string, warnings: Caution[]}>}
 * @throws {Problem} `several_series` with `choices`, texts to choose from; or why there is no scan.
 */
export async function findScan(files, number = null) {
  const { images, others, damaged } = await readHeaders(files);
  if (!images.length) throw nothingFound(others, damaged);
  const series = grouped(images);
  const long = series.filter((one) => planeCount(one) >= FEWEST_PLANES);
  const likely = long.length ? long : series;
  if (number === null && likely.length > 1) {
    const problem = new Problem("several_series", "There are several series.", "Choose one of them.");
    problem.choices = likely.map(labelOf);
    throw problem;
  }
  const chosen = likely[(number ?? 1) - 1];
  const warnings = [];
  if (damaged) warnings.push(new Caution("damaged_files_left_out", "DICOM files that are damaged, and were left out: {count}.", { count: damaged }));
  if (series.length > 1 && likely.length === 1) {
    warnings.push(new Caution(
      "only_stack_taken", "There are several series: {series} was taken, the only one of {least} slices or more.",
      { series: labelOf(chosen), least: FEWEST_PLANES },
    ));
  }
  return { images: ofOneKind(withoutRepeats(chosen), warnings), modality: chosen[0].modality, warnings };
}

/**
 * The planes of images, each with its image and its frame, counted from 0; a few that lie nowhere are left out.
 *
 * @throws {Problem} As `planesOf`, if more than a few fail.
 */
export function placedFrames(images, warnings) {
  const [frames, problems] = [[], []];
  for (const image of images) {
    try {
      planesOf(image.dataset).forEach((plane, frame) => frames.push({ image, frame, plane }));
    } catch (problem) {
      problems.push(problem);
    }
  }
  if (problems.length && !areFew(problems.length, frames.length)) throw problems[0];
  if (problems.length) warnings.push(leftOut(problems.length));
  return frames;
}

async function readHeaders(files) {
  const [images, others] = [[], new Set()];
  let damaged = 0;
  for (const file of files) {
    try {
      const found = await readHeader(file);
      if (!found) continue;
      const image = new Image(file, found.dataset, found.syntax);
      const isScan = image.dataset.unsigned(0x00280010, 0) > 0 && !NO_SCAN.has(image.modality);
      if (isScan) images.push(image);
      else if (image.modality) others.add(image.modality);
    } catch (problem) {
      if (!problem.code) throw problem;
      damaged += 1;
    }
  }
  return { images, others, damaged };
}

/** The header of a file, read no further than needed; null if it is none of DICOM. */
async function readHeader(file) {
  for (const count of [...HEAD_BYTES, file.size]) {
    const bytes = new Uint8Array(await file.slice(0, count).arrayBuffer());
    if (!isDicom(bytes)) return null;
    const found = await readFile(bytes, bytes.length === file.size);
    if (found) return found;
  }
  return null;
}

function nothingFound(others, damaged) {
  if (others.size) {
    return new Problem(
      "volume_invalid", "There is no scan among the DICOM files, only {kinds}.", "Drop the scan.",
      { values: { kinds: [...others].sort().join(", ") } },
    );
  }
  if (damaged) return new Problem("input_unreadable", "The DICOM files are damaged.", "They were cut off: copy them again.");
  return new Problem("input_unreadable", "There are no DICOM images.", "Drop a folder with the slices of a scan.");
}

/** Series without scouts and screenshots, unless there are no others; by number. */
function grouped(images) {
  const groups = new Map();
  for (const image of images) groups.set(image.series, [...(groups.get(image.series) ?? []), image]);
  const all = [...groups.values()].sort((a, b) => Number(a[0].number) - Number(b[0].number) || (a[0].series < b[0].series ? -1 : 1));
  const scans = all.map((group) => group.filter(({ dataset }) => !hasImageType(dataset, "LOCALIZER"))).filter((group) => group.length);
  const placed = (scans.length ? scans : all).filter((group) => group.some(({ dataset }) => isPlaced(dataset)));
  if (placed.length) return placed;
  return scans.length ? scans : all;
}

function planeCount(images) {
  return images.reduce((sum, { dataset }) => sum + frameCount(dataset), 0);
}

/** A series for display, without anything about the patient. */
function labelOf(images) {
  return `series ${images[0].number || "?"} (${images[0].modality || "?"}, ${planeCount(images)} slices)`;
}

function withoutRepeats(images) {
  const seen = new Map();
  images.forEach((image, n) => {
    const name = `${image.dataset.text(0x00080018) || n} ${image.dataset.text(0x00200032)}`;
    if (!seen.has(name)) seen.set(name, image);
  });
  return [...seen.values()];
}

/** Images of the class of objects that most of the series have. */
function ofOneKind(images, warnings) {
  const counts = new Map();
  for (const { sopClass, dataset } of images) {
    counts.set(sopClass, (counts.get(sopClass) ?? 0) + (isPlaced(dataset) ? frameCount(dataset) : 0));
  }
  const [main] = [...counts.entries()].reduce((a, b) => (b[1] > a[1] ? b : a));
  const kept = images.filter(({ sopClass }) => sopClass === main);
  if (kept.length < images.length) {
    warnings.push(new Caution(
      "foreign_objects_left_out", "Objects of another kind in the series (screenshots, dose pages) were left out: {count}.",
      { count: images.length - kept.length },
    ));
  }
  return kept;
}

function areFew(strays, others) {
  return strays <= MOST_STRAYS && others >= 4 * strays;
}

function leftOut(count) {
  return new Caution(
    "stray_images_left_out", "Images of the series that do not fit to the others (size, direction or place) were left out: {count}.",
    { count },
  );
}
