/** Saves results as files that the browser makes; who they are of stays in the browser. */

import { segmentation } from "./dicom/segmentation.js";
import { outlinePlanes, structureSet } from "./dicom/structure_set.js";
import { reportPage, statisticsTable } from "./results/report.js";
import { labelMap, segNrrd } from "./files/masks.js";

/** Formats by the name of their button: file name, whether only DICOM scans have it, and what makes the file. */
const FORMATS = {
  slicer: { file: "segmentation.seg.nrrd", make: ({ grid, results, provenance }) => segNrrd(grid, results, provenance) },
  labels: { file: "labels.nii.gz", make: ({ grid, results }) => labelMap(grid, results) },
  statistics: { file: "statistics.csv", make: statisticsTable },
  report: { file: "report.html", make: reportPage },
  rtstruct: { file: "rtstruct.dcm", isDicom: true, make: writeStructureSet },
  seg: { file: "segmentation.dcm", isDicom: true, make: writeSegmentation },
};

/**
 * Make a file of results, and hand it to the user.
 *
 * @param {string} format Key of `FORMATS`.
 * @param {object} given `volume`, `grid`, `window`, `results`, `provenance`, `warnings`, `source` of a DICOM scan,
 *     `modality`, `maker`, and `server`.
 */
export async function save(format, given) {
  const { file, make } = FORMATS[format];
  download(await make(given), file);
}

/** Whether a format is of use for a scan. */
export function isOffered(format, source) {
  return !FORMATS[format].isDicom || Boolean(source);
}

/** Hand a file to the user. */
export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

async function writeStructureSet({ results, source, modality, maker, server }) {
  source.requireReferable();
  const planes = outlinePlanes(source);
  const outlined = [];
  for (const result of results) {
    outlined.push({ ...result, contours: result.mask.isEmpty ? [] : await server.contours(result.mask, planes) });
  }
  return structureSet(source, outlined, await structuresOf(server, modality), maker);
}

async function writeSegmentation({ results, source, modality, maker, server }) {
  return segmentation(source, results, await structuresOf(server, modality), maker);
}

async function structuresOf(server, modality) {
  return new Map((await server.structures(modality)).map((one) => [one.name, one]));
}
