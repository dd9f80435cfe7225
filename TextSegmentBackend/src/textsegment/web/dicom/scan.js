/** A scan from DICOM files: its grid and voxels, and the images that it came from. */

import { Caution } from "../caution.js";
import { inCOrder } from "../grid.js";
import { Problem } from "../problem.js";
import { scalingOf } from "./planes.js";
import { readVoxels } from "./pixels.js";
import { findScan, placedFrames } from "./series.js";
import { stackPlanes } from "./stack.js";
import { suvFactor } from "./suv.js";

const MODALITIES = ["CT", "MR", "PT"];

/** The images of a scan: who and what they are of stays in the browser. */
export class Source {
  /**
   * @param {object[]} planes Planes in the order of the grid: `plane`, `place` along the third axis in voxels,
   *     `dataset` of the file, and `frame`, from 1, or null if the file has a single plane.
   * @param {Grid} grid Grid of the scan.
   */
  constructor(planes, grid) {
    this.planes = planes;
    this.grid = grid;
    this.datasets = [...new Set(planes.map(({ dataset }) => dataset))];
  }

  /** Header of the first image. */
  get first() {
    return this.datasets[0];
  }

  /** @throws {Problem} If other objects cannot refer to the images. */
  requireReferable() {
    const of = (tag) => this.datasets.map((dataset) => dataset.text(tag));
    const instances = of(0x00080018);
    const frames = new Set(of(0x00200052));
    const names = [...instances, ...of(0x00080016), ...frames, this.first.text(0x0020000d), this.first.text(0x0020000e)];
    if (!names.every((name) => /^[0-9.]{1,64}$/.test(name)) || new Set(instances).size < instances.length || frames.size > 1) {
      throw new Problem(
        "output_unwritable", "No DICOM object can refer to this scan: its images lack identifiers or share them.",
        "Use the original files, or save the result in another format.",
      );
    }
  }
}

/**
 * Read the scan among DICOM files.
 *
 * @param {File[]} files Files of one or more series.
 * @param {number|null} number Which series, counted from 1, if there are several.
 * @returns {Promise<{grid: Grid, voxels: TypedArray, warnings: Caution[], modality: string, source: Source}>} Voxels in
 *     C order.
 */
export async function readDicomScan(files, number) {
  const { images, modality, warnings } = await findScan(files, number);
  if (!MODALITIES.includes(modality)) {
    throw new Problem(
      "modality_unsupported", "The series has the modality {modality}, which cannot be segmented.", "Choose a CT, MR or PET.",
      { values: { modality: modality || "?" } },
    );
  }
  const frames = placedFrames(images, warnings);
  const stack = stackPlanes(frames.map(({ plane }) => plane));
  const sorted = stack.order.map((n) => frames[n]);
  const datasets = images.map(({ dataset }) => dataset);
  const suv = modality === "PT" ? suvFactor(datasets) : { factor: 1, warnings: [] };
  const voxels = await readVoxels(sorted, stack, suv.factor);
  if (modality === "CT" && datasets.some(lacksScaling)) {
    warnings.push(new Caution(
      "rescale_missing", "The CT files do not say how stored values become Hounsfield units (no rescale slope and "
      + "intercept): if they are none already, the masks are wrong.",
    ));
  }
  const planes = sorted.map(({ image, frame, plane }, n) => ({
    plane, place: stack.places[n], dataset: image.dataset, frame: image.dataset.has(0x00280008) ? frame + 1 : null,
  }));
  return {
    grid: stack.grid, voxels: inCOrder(voxels, stack.grid.shape), modality, source: new Source(planes, stack.grid),
    warnings: [...warnings, ...suv.warnings, ...stack.warnings],
  };
}

function lacksScaling(dataset) {
  const { slope, intercept } = scalingOf(dataset, 0);
  return slope === null || intercept === null;
}
