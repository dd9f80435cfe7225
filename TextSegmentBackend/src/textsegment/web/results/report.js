/** Results as tables and as a page with pictures, made in the browser; nothing on them is about the patient. */

import { say, sayNumber, tell } from "../language.js";
import { notesOn } from "./notes.js";
import { drawMask, drawSlice, Plane } from "../view/planes.js";

const STYLE = "body{font:15px/1.4 system-ui,sans-serif;max-width:60rem;margin:1rem auto;padding:0 1rem}"
  + "section{display:flex;gap:1rem;margin:1rem 0;break-inside:avoid}img{width:16rem;background:#000;object-fit:contain}";
const COLUMNS = ["voxel_count", "volume_ml", "mean_intensity", "mean_confidence", "touches_border"];

/** All figures as CSV, one line for each structure, in English with points in numbers. */
export function statisticsTable({ results }) {
  const lines = results.map(({ mask, edited }) => [
    mask.structure, ...COLUMNS.map((name) => mask.statistics[name] ?? ""), mask.statistics.verdict ?? "",
    (mask.statistics.reasons ?? []).join("; "), edited ? "edited" : "model",
  ]);
  const rows = [["structure", ...COLUMNS, "verdict", "reasons", "maker"], ...lines];
  return new Blob([`${rows.map((row) => row.map(quoted).join(",")).join("\r\n")}\r\n`], { type: "text/csv" });
}

/**
 * A page that shows each structure at its largest slice, with its figures and what is to be said about it.
 *
 * @param {object} given `volume`, `window`, `results`, `provenance` and `warnings`.
 * @returns {Blob} One HTML file, with its pictures inside.
 */
export function reportPage({ volume, window, results, provenance, warnings }) {
  const made = Object.entries(provenance).filter(([, value]) => !Array.isArray(value)).map(([key, value]) => `${key}: ${value}`).join(" · ");
  const lines = [
    `<!doctype html><html lang="${document.documentElement.lang}"><meta charset="utf-8"><title>TextSegment</title>`,
    `<style>${STYLE}</style>`,
    tag("h1", "TextSegment"),
    tag("p", say("Not for clinical decisions: look at every mask.")),
    tag("p", `${volume.modality} · ${volume.grid.shape.join(" × ")} · ${made}`),
    tag("p", [...new Set(warnings.map(tell))].join(" ")),
    ...results.map((result) => about(volume, window, result)),
  ];
  return new Blob([lines.join("\n")], { type: "text/html" });
}

function about(volume, window, { mask, color, edited }) {
  const { volume_ml: ml, mean_confidence: sure, mean_intensity: intensity } = mask.statistics;
  const figures = [
    mask.isEmpty ? "" : `${sayNumber(ml, ml < 10 ? 2 : 0)} ml`,
    sure === null ? "" : `${say("Confidence")}: ${Math.round(100 * sure)} %`,
    intensity === null ? "" : `${say("Mean value")}: ${sayNumber(intensity, 1)}${volume.modality === "CT" ? " HU" : ""}`,
  ];
  const text = [
    tag("h2", mask.structure), tag("p", figures.filter(Boolean).join(" · ")), tag("p", notesOn(mask, edited).join(" ")),
  ];
  const shown = mask.isEmpty ? "" : `<img alt="" src="${picture(volume, window, mask, color)}">`;
  return `<section>${shown}<div>${text.join("")}</div></section>`;
}

/** The axial slice in which the structure is largest, as the address of a picture. */
function picture(volume, window, mask, color) {
  const plane = new Plane(volume.grid, "axial");
  const image = new ImageData(plane.width, plane.height);
  const slice = mask.largestSlice(plane.axis)[plane.axis];
  drawSlice(image, volume, plane, slice, window);
  drawMask(image, mask, plane, slice, color);
  const raw = document.createElement("canvas");
  [raw.width, raw.height] = [plane.width, plane.height];
  raw.getContext("2d").putImageData(image, 0, 0);
  const shown = document.createElement("canvas");
  const scale = 384 / Math.max(plane.width * plane.pixel[0], plane.height * plane.pixel[1]);
  [shown.width, shown.height] = [plane.width * plane.pixel[0] * scale, plane.height * plane.pixel[1] * scale].map(Math.round);
  shown.getContext("2d").drawImage(raw, 0, 0, shown.width, shown.height);
  return shown.toDataURL("image/png");
}

function tag(name, text) {
  const escaped = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return `<${name}>${escaped}</${name}>`;
}

function quoted(value) {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
