/** Writes RT structure sets (PS3.3 A.19), as the package does: contours by the server, all else by the page. */

import { ascii, descriptionOf } from "../results/notes.js";
import { Problem } from "../problem.js";
import { code, newObject, nowFor, referencesTo } from "./identity.js";
import { marked } from "./mark.js";
import { dicomFile, IMPLICIT } from "./writer.js";

const KIND = {
  sopClass: "1.2.840.10008.5.1.4.1.1.481.3", modality: "RTSTRUCT", firstNumber: 1000,
  description: "TextSegment contours: machine-made, unapproved",
};
// The class that the standard prescribes for studies here; it is retired, and still required.
const DETACHED_STUDY = "1.2.840.10008.3.1.2.3.1";
const CUT_OFF = "Reaches the border of the image: perhaps cut off.";
const EXTERNAL = ["body", "external"];

/**
 * Planes on which masks are outlined, as the server wants them, in LPS millimetres.
 *
 * @param {Source} source Images of the scan.
 */
export function outlinePlanes(source) {
  return source.planes.map(({ place, plane }) => ({
    place,
    corner: plane.position,
    i: plane.i.map((value) => value * plane.spacing[0]),
    j: plane.j.map((value) => value * plane.spacing[1]),
  }));
}

/**
 * A structure set.
 *
 * @param {Source} source Images of the scan.
 * @param {object[]} results Masks to write: `mask`, `color`, `edited`, and `contours` from the server.
 * @param {Map<string, object>} structures What the server says of each structure, by name.
 * @param {{model: string, software: string}} maker Model and version.
 * @returns {Promise<Blob>}
 * @throws {Problem} If nothing was found, or nothing can refer to the images.
 */
export async function structureSet(source, results, structures, { model, software }) {
  source.requireReferable();
  const kept = results.filter(({ contours }) => contours.length);
  if (!kept.length) throw new Problem("output_unwritable", "None of the structures was found, so there is nothing to write.");
  const algorithm = ascii(`TextSegment ${software} ${model}`, 64);
  const frame = source.first.text(0x00200052);
  const { date, time } = nowFor(source.first);
  const regions = await Promise.all(kept.map(async ({ mask, edited, contours }, n) => {
    const name = ascii(mask.structure, 64);
    return [
      [0x30060022, "IS", String(n + 1)],
      [0x30060024, "UI", frame],
      [0x30060026, "LO", name],
      [0x30060028, "ST", descriptionOf(mask, edited, ...(mask.statistics.touches_border ? [CUT_OFF] : []))],
      [0x30060036, "CS", edited ? "SEMIAUTOMATIC" : "AUTOMATIC"],
      [0x30060038, "LO", edited ? algorithm : await marked(algorithm, name, contours)],
    ];
  }));
  // Implicit, since contours may be longer than explicit lengths allow.
  return dicomFile([
    ...newObject(source, KIND, software),
    [0x00080021, "DA", date],
    [0x00080031, "TM", time],
    [0x00081070, "PN", ""],
    [0x00081090, "LO", "TextSegment"],
    [0x30060002, "SH", "TextSegment"],
    [0x30060006, "ST", `Made by a machine, to be checked by a person: ${algorithm}`],
    [0x30060008, "DA", date],
    [0x30060009, "TM", time],
    [0x30060010, "SQ", [referencedFrame(source, frame)]],
    [0x30060020, "SQ", regions],
    [0x30060039, "SQ", kept.map((result, n) => contoursOf(source, result, n + 1))],
    [0x30060080, "SQ", kept.map(({ mask }, n) => observation(mask.structure, structures.get(mask.structure), n + 1))],
    [0x300e0002, "CS", "UNAPPROVED"],
  ], IMPLICIT);
}

function referencedFrame(source, frame) {
  const series = [
    [0x0020000e, "UI", source.first.text(0x0020000e)],
    [0x30060016, "SQ", referencesTo(source.datasets)],
  ];
  const study = [
    [0x00081150, "UI", DETACHED_STUDY],
    [0x00081155, "UI", source.first.text(0x0020000d)],
    [0x30060014, "SQ", [series]],
  ];
  return [[0x00200052, "UI", frame], [0x30060012, "SQ", [study]]];
}

function contoursOf(source, { color, contours }, number) {
  const items = contours.map(({ plane, points }, n) => {
    const { dataset, frame } = source.planes[plane];
    const [image] = referencesTo([dataset]);
    return [
      [0x30060016, "SQ", [frame === null ? image : [...image, [0x00081160, "IS", String(frame)]]]],
      [0x30060042, "CS", "CLOSED_PLANAR"],
      [0x30060046, "IS", String(points.length / 3)],
      [0x30060048, "IS", String(n + 1)],
      [0x30060050, "DS", points.map(String)],
    ];
  });
  return [
    [0x3006002a, "IS", color.map(String)],
    [0x30060040, "SQ", items],
    [0x30060084, "IS", String(number)],
  ];
}

function observation(structure, known, number) {
  const isOrgan = known?.kind && known.kind !== "lesion";
  const type = EXTERNAL.includes(structure) ? "EXTERNAL" : isOrgan ? "ORGAN" : "";
  const item = [
    [0x30060082, "IS", String(number)],
    [0x30060084, "IS", String(number)],
    [0x300600a4, "CS", type],
    [0x300600a6, "PN", ""],
  ];
  if (!known?.kind) return item;
  const modifier = known.type_modifier ? [[0x00620011, "SQ", [code(known.type_modifier)]]] : [];
  item.push(
    [0x00620003, "SQ", [code(known.category)]],
    [0x30060086, "SQ", [[...code(known.type), ...modifier]]],
  );
  if (known.region) item.push([0x00082218, "SQ", [regionOf(known)]]);
  return item;
}

/** The anatomic region of a structure, with its side. */
export function regionOf({ region, region_modifier: modifier }) {
  return [...code(region), ...(modifier ? [[0x00082220, "SQ", [code(modifier)]]] : [])];
}
