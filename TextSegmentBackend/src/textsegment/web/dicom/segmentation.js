/** Writes DICOM segmentations (PS3.3 A.51) with one bit a voxel and structure, as the package does. */

import { ascii, descriptionOf } from "../results/notes.js";
import { Problem } from "../problem.js";
import { code, newObject, nowFor, referencesTo } from "./identity.js";
import { regionOf } from "./structure_set.js";
import { DEFLATED, dicomFile, EXPLICIT, newUid } from "./writer.js";

const KIND = {
  sopClass: "1.2.840.10008.5.1.4.1.1.66.4", modality: "SEG", firstNumber: 2000,
  description: "TextSegment masks: machine-made, unapproved",
};
const SAME_PLACE = 1e-3;
// Beyond this size the file is deflated: masks shrink to a hundredth.
const PLAIN_BYTES = 2 ** 25;
const INTELLIGENCE = { value: "123110", scheme: "DCM", meaning: "Artificial Intelligence" };
const SOURCE_IMAGE = { value: "121322", scheme: "DCM", meaning: "Source image for image processing operation" };
const DERIVED = { value: "113076", scheme: "DCM", meaning: "Segmentation" };

/**
 * A segmentation.
 *
 * @param {Source} source Images of the scan.
 * @param {object[]} results Masks to write: `mask`, `color` and `edited`; they may overlap.
 * @param {Map<string, object>} structures What the server says of each structure, by name.
 * @param {{model: string, software: string}} maker Model and version.
 * @returns {Promise<Blob>}
 * @throws {Problem} If nothing was found, or nothing can refer to the images.
 */
export async function segmentation(source, results, structures, { model, software }) {
  source.requireReferable();
  const found = results.filter(({ mask }) => !mask.isEmpty);
  if (!found.length) throw new Problem("output_unwritable", "None of the structures was found, so there is nothing to write.");
  const { frames, pixels } = framesOf(found.map(({ mask }) => mask), source.grid.shape);
  const used = [...new Set(frames.map(({ k }) => k))].sort((a, b) => a - b);
  const { date, time } = nowFor(source.first);
  const images = referencesTo(source.datasets);
  const series = [[0x0020000e, "UI", source.first.text(0x0020000e)], [0x0008114a, "SQ", images]];
  const organization = newUid();
  const name = ascii(model, 64);
  return dicomFile([
    ...newObject(source, KIND, software),
    ...lossy(source.datasets),
    [0x00080008, "CS", ["DERIVED", "PRIMARY"]],
    [0x00080023, "DA", date],
    [0x00080033, "TM", time],
    [0x00081090, "LO", name],
    [0x00081115, "SQ", [series]],
    [0x00082112, "SQ", images],
    [0x00181000, "LO", "1"],
    [0x00209221, "SQ", [[[0x00209164, "UI", organization]]]],
    [0x00209222, "SQ", [
      dimension(organization, 0x0062000b, 0x0062000a, "Referenced Segment Number"),
      dimension(organization, 0x00200032, 0x00209113, "Image Position Patient"),
    ]],
    [0x00280002, "US", 1],
    [0x00280004, "CS", "MONOCHROME2"],
    [0x00280008, "IS", String(frames.length)],
    [0x00280010, "US", source.grid.shape[1]],
    [0x00280011, "US", source.grid.shape[0]],
    [0x00280100, "US", 1],
    [0x00280101, "US", 1],
    [0x00280102, "US", 0],
    [0x00280103, "US", 0],
    [0x00620001, "CS", "BINARY"],
    [0x00620002, "SQ", found.map((result, n) => segment(result, structures.get(result.mask.structure), n + 1, name, software))],
    [0x00620013, "CS", overlap(found.map(({ mask }) => mask), source.grid) ? "YES" : "NO"],
    [0x00700080, "CS", "TEXTSEGMENT"],
    [0x00700081, "LO", "machine-made, unapproved"],
    [0x00700084, "PN", ""],
    [0x20500020, "CS", "IDENTITY"],
    [0x52009229, "SQ", [shared(source)]],
    [0x52009230, "SQ", frames.map(({ number, k }) => perFrame(source, number, k, used.indexOf(k) + 1))],
    [0x7fe00010, "OB", pixels],
  ], pixels.length > PLAIN_BYTES ? DEFLATED : EXPLICIT);
}

/** Every plane in which a structure is, and the pixels of all of them, the first in the lowest bit. */
function framesOf(masks, [columns, rows]) {
  const frames = masks.flatMap((mask, n) => {
    const isUsed = new Uint8Array(mask.shape[2]);
    mask.each((i, j, k) => { isUsed[k] = 1; });
    return [...isUsed.keys()].filter((k) => isUsed[k]).map((k) => ({ number: n + 1, k: mask.start[2] + k }));
  });
  const bytes = Math.ceil((frames.length * rows * columns) / 8);
  const pixels = new Uint8Array(bytes + (bytes % 2));
  masks.forEach((mask, n) => {
    const first = frames.findIndex(({ number }) => number === n + 1);
    const places = new Map(frames.filter(({ number }) => number === n + 1).map(({ k }, place) => [k, first + place]));
    mask.each((i, j, k) => {
      const at = (places.get(mask.start[2] + k) * rows + mask.start[1] + j) * columns + mask.start[0] + i;
      pixels[Math.floor(at / 8)] |= 1 << (at % 8);
    });
  });
  return { frames, pixels };
}

function overlap(masks, grid) {
  const seen = new Uint8Array(grid.size);
  return masks.some((mask) => {
    if (mask.meets(seen, grid.shape)) return true;
    mask.paint(seen, grid.shape, 1);
    return false;
  });
}

function dimension(organization, pointer, group, label) {
  return [
    [0x00209164, "UI", organization],
    [0x00209165, "AT", pointer],
    [0x00209167, "AT", group],
    [0x00209421, "LO", label],
  ];
}

function segment({ mask, color, edited }, known, number, model, software) {
  const label = ascii(mask.structure, 64);
  const tissue = { value: "85756007", scheme: "SCT", meaning: "Tissue" };
  const { category, type, type_modifier: modifier } = known ?? { category: tissue, type: tissue };
  const algorithm = [
    [0x00240202, "LO", "TextSegment"],
    [0x0066002f, "SQ", [code(INTELLIGENCE)]],
    [0x00660031, "LO", software],
    [0x00660036, "LO", model],
  ];
  return [
    [0x00620003, "SQ", [code(category)]],
    [0x00620004, "US", number],
    [0x00620005, "LO", label],
    [0x00620006, "ST", descriptionOf(mask, edited).replace(/\.$/, "")],
    [0x00620007, "SQ", [algorithm]],
    [0x00620008, "CS", edited ? "SEMIAUTOMATIC" : "AUTOMATIC"],
    [0x00620009, "LO", model],
    [0x0062000d, "US", cieLab(color)],
    [0x0062000f, "SQ", [[...code(type), ...(modifier ? [[0x00620011, "SQ", [code(modifier)]]] : [])]]],
    [0x00620020, "UT", label],
    [0x00620021, "UI", newUid()],
    ...(known?.region ? [[0x00082218, "SQ", [regionOf(known)]]] : []),
  ];
}

function shared({ planes, grid }) {
  const { plane } = planes[0];
  const normal = [0, 1, 2].map((r) => plane.i[(r + 1) % 3] * plane.j[(r + 2) % 3] - plane.i[(r + 2) % 3] * plane.j[(r + 1) % 3]);
  const step = grid.columns[2].map((value, r) => (r < 2 ? -value : value));
  // Along the normal, as DICOM wants it, also where slices are shifted against each other.
  const distance = Math.abs(normal.reduce((sum, value, r) => sum + value * step[r], 0));
  const measures = [
    [0x00180050, "DS", plane.thickness ?? distance],
    [0x00180088, "DS", distance],
    [0x00280030, "DS", [plane.spacing[1], plane.spacing[0]]],
  ];
  return [
    [0x00209116, "SQ", [[[0x00200037, "DS", [...plane.i, ...plane.j]]]]],
    [0x00289110, "SQ", [measures]],
  ];
}

function perFrame({ planes, grid }, number, k, rank) {
  const at = planes.find(({ place }) => Math.abs(place - k) < SAME_PLACE);
  const position = at ? at.plane.position : grid.toWorld([0, 0, k]).map((value, r) => (r < 2 ? -value : value));
  const frame = [
    [0x00209111, "SQ", [[[0x00209157, "UL", [number, rank]]]]],
    [0x00209113, "SQ", [[[0x00200032, "DS", position]]]],
    [0x0062000a, "SQ", [[[0x0062000b, "US", number]]]],
  ];
  if (!at) return frame;
  const [image] = referencesTo([at.dataset]);
  if (at.frame !== null) image.push([0x00081160, "IS", String(at.frame)]);
  image.push([0x0028135a, "CS", "YES"], [0x0040a170, "SQ", [code(SOURCE_IMAGE)]]);
  return [...frame, [0x00089124, "SQ", [[[0x00082112, "SQ", [image]], [0x00089215, "SQ", [code(DERIVED)]]]]]];
}

/** How the images were compressed with loss, if they were. */
function lossy(datasets) {
  const from = datasets.find((dataset) => dataset.text(0x00282110) === "01");
  if (!from) return [[0x00282110, "CS", "00"]];
  const rest = [[0x00282112, "DS"], [0x00282114, "CS"]].filter(([tag]) => from.has(tag));
  return [[0x00282110, "CS", "01"], ...rest.map(([tag, vr]) => [tag, vr, from.bytes(tag)])];
}

/** A color of the screen as CIELab under D50, in the 16-bit form of DICOM (PS3.3 C.10.7.1.1). */
function cieLab(rgb) {
  const linear = rgb.map((value) => value / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  const toXyz = [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]];
  const white = [0.96422, 1, 0.82521];
  const [x, y, z] = toXyz.map((row, n) => row.reduce((sum, each, c) => sum + each * linear[c], 0) / white[n])
    .map((t) => (t > (6 / 29) ** 3 ? Math.cbrt(t) : t / (3 * (6 / 29) ** 2) + 4 / 29));
  const [light, a, b] = [116 * y - 16, 500 * (x - y), 200 * (y - z)];
  return [light / 100, (a + 128) / 255, (b + 128) / 255].map((part) => Math.round(65535 * Math.min(Math.max(part, 0), 1)));
}
