/**
 * What a derived object repeats of the patient and study of its images: the table of the package
 * (textsegment.files.dicom.inherited). Values are copied as they are, in their own character set.
 */

import { elementsOf, newUid } from "./writer.js";

const TEXTS = {
  AS: [0x00101010],
  CS: [
    0x00080005, 0x00280303, 0x00100040, 0x00100022, 0x00100200, 0x00102298, 0x00102203, 0x00120062, 0x00120053,
  ],
  DA: [0x00100030, 0x00080020],
  DS: [0x00101020, 0x00101030],
  FD: [0x00120052],
  LO: [
    0x00100020, 0x00100021, 0x00102201, 0x00102292, 0x00102299, 0x00100213, 0x00120063, 0x00120010, 0x00120020,
    0x00120021, 0x00120030, 0x00120031, 0x00120040, 0x00120042, 0x00120081, 0x00120082, 0x00120050, 0x00081030,
  ],
  PN: [0x00100010, 0x00102297, 0x00080090],
  SH: [0x00080201, 0x00200010, 0x00080050],
  SQ: [0x00100024, 0x00102202, 0x00102293, 0x00102294, 0x00100219, 0x00120064, 0x00120083, 0x00080051],
  ST: [0x00120051],
  TM: [0x00100032, 0x00080030],
  UC: [0x00100212],
  UI: [0x0020000d],
};
const TABLE = Object.entries(TEXTS).flatMap(([vr, tags]) => tags.map((tag) => [tag, vr]));
// Of codes inside of sequences, where the file does not say what they are.
const VRS = { ...Object.fromEntries(TABLE), 0x00080100: "SH", 0x00080102: "SH", 0x00080103: "SH", 0x00080104: "LO" };
const ALWAYS = [
  0x00100010, 0x00100020, 0x00100030, 0x00100040, 0x00080020, 0x00080030, 0x00200010, 0x00080050, 0x00080090,
];
const OF_ANIMALS = [0x00102292, 0x00102293, 0x00102294, 0x00102297, 0x00102299, 0x00102203];
const OF_TRIALS = [0x00120021, 0x00120030, 0x00120031];
const OF_TIME_POINTS = [0x00120050];
const HUMAN = ["337915000", "L-85B00"];

/** Elements of patient and study, with those that must be there even if they are empty. */
export function inherited(dataset) {
  const found = elementsOf(dataset, VRS, (tag) => TABLE.some(([one]) => one === tag));
  const due = [
    ...ALWAYS,
    ...(isAnimal(dataset) ? OF_ANIMALS : []),
    ...(dataset.has(0x00120010) || dataset.has(0x00120020) ? OF_TRIALS : []),
    ...([0x00120050, 0x00120051, 0x00120083].some((tag) => dataset.has(tag)) ? OF_TIME_POINTS : []),
  ].filter((tag) => !dataset.holds(tag));
  return [...found, ...due.map((tag) => [tag, VRS[tag], VRS[tag] === "SQ" ? [] : ""])];
}

/**
 * Elements of a new object in a new series of the same study.
 *
 * @param {Source} source Images of the scan.
 * @param {object} kind `sopClass`, `modality`, `firstNumber` and `description`.
 * @param {string} software Version of the software.
 */
export function newObject(source, { sopClass, modality, firstNumber, description }, software) {
  const { first } = source;
  const scan = Number(first.text(0x00200011) || NaN);
  const { date, time } = nowFor(first);
  return [
    ...inherited(first),
    [0x00080012, "DA", date],
    [0x00080013, "TM", time],
    [0x00080016, "UI", sopClass],
    [0x00080018, "UI", newUid()],
    [0x00080060, "CS", modality],
    [0x00080070, "LO", "TextSegment"],
    [0x0008103e, "LO", description],
    [0x00181020, "LO", software],
    [0x0020000e, "UI", newUid()],
    [0x00200011, "IS", String(firstNumber + (Number.isInteger(scan) && scan >= 0 && scan <= 1e8 ? scan : 0))],
    [0x00200013, "IS", "1"],
    [0x00200052, "UI", first.text(0x00200052)],
    [0x00201040, "LO", first.bytes(0x00201040)],
  ];
}

/** References to images, each once. */
export function referencesTo(datasets) {
  return datasets.map((dataset) => [
    [0x00081150, "UI", dataset.text(0x00080016)],
    [0x00081155, "UI", dataset.text(0x00080018)],
  ]);
}

/** A coded term; nothing for null. */
export function code({ value, scheme, meaning }) {
  return [[0x00080100, "SH", value], [0x00080102, "SH", scheme], [0x00080104, "LO", meaning]];
}

/** The date and time now, in the time zone of the images or else in that of the browser. */
export function nowFor(dataset) {
  const offset = /^([+-])(\d\d)(\d\d)$/.exec(dataset.text(0x00080201));
  const minutes = offset ? (offset[1] === "-" ? -1 : 1) * (60 * Number(offset[2]) + Number(offset[3])) : -new Date().getTimezoneOffset();
  const digits = new Date(Date.now() + 60_000 * minutes).toISOString().replace(/\D/g, "");
  return { date: digits.slice(0, 8), time: digits.slice(8, 14) };
}

function isAnimal(dataset) {
  const codes = dataset.items(0x00102202).map((item) => item.text(0x00080100));
  const described = dataset.text(0x00102201).toLowerCase();
  return codes.some((one) => !HUMAN.includes(one)) || (!codes.length && !["", "human", "homo sapiens"].includes(described));
}
