/** The web workspace: drop a scan, type, see, save. */

import { Asking } from "./asking.js";
import { Browsing } from "./browsing.js";
import { Caution } from "./caution.js";
import { Correcting } from "./correcting.js";
import { guessModality } from "./files/scan.js";
import { say, tell, tellProblem, translate } from "./language.js";
import { Opening } from "./opening.js";
import { Problem } from "./problem.js";
import { Server } from "./protocol/server.js";
import { Volume } from "./protocol/volume_codec.js";
import { Results } from "./results/results.js";
import { Running } from "./running.js";
import { isOffered, save } from "./saving.js";
import { SceneTile } from "./view/scene_tile.js";
import { windowNamed, windowsOf } from "./view/windows.js";
import { Viewer } from "./view/viewer.js";

const find = (id) => document.getElementById(id);
const server = new Server();
const state = { scan: null, volume: null, provenance: {}, warnings: [] };
const viewer = new Viewer(find("planes"), { onMove: showPlace, onWindow: () => { find("window").value = ""; } });
const results = new Results(find("table"), {
  onGo: (index) => {
    viewer.moveTo(index);
    find("axial").scrollIntoView(); // below the table, where the page is narrow
  },
  onEdit: (structure) => correcting.begin(structure),
  onChange: showResults,
  axis: () => state.volume.grid.axes[2].axis,
});
const sceneTile = new SceneTile(
  { toggle: find("show_scene"), tile: find("scene"), planes: find("planes") },
  { guarded, shown: () => results.shown(), grid: () => state.volume.grid },
);
const correcting = new Correcting(
  {
    bar: find("pen"), radius: find("radius"), undo: find("undo"), apply: find("apply"), done: find("done"), draw: find("draw"),
    name: find("new_name"), planes: find("planes"),
  },
  { viewer, results, grid: () => state.volume.grid, guarded, carry },
);
const running = new Running({
  progress: find("progress"), bar: find("bar"), stage: find("stage"), cancel: find("cancel"), start: find("segment"), waiting: [find("apply")],
});
const asking = new Asking(
  { text: find("text"), terms: find("terms"), segment: find("segment") },
  { server, modality: () => state.volume?.modality ?? "", guarded },
);
const browsing = new Browsing(find("browser"), { server, asking, modality: () => state.volume.modality, guarded });
const opening = new Opening(
  { drop: find("drop"), inputs: [find("file"), find("folder")], which: find("number"), question: find("volumes"), reading: find("reading") },
  { guarded, onScan: take },
);

start();

async function start() {
  translate(document);
  takeAddress();
  listen();
  await guarded(connect);
}

/** Key and wishes come in the part of the address that is never sent, and do not stay there. */
function takeAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  if (given.has("key")) server.key = given.get("key");
  state.wantsSample = given.has("sample");
  if (location.hash) history.replaceState(null, "", location.pathname);
}

async function connect() {
  // Without it, browsers have no SHA-256, under which the server knows scans.
  if (!isSecureContext) throw new Problem("insecure", "This page was not opened over HTTPS.", "Open its HTTPS address.");
  state.info = await server.info();
  find("model").textContent = `${state.info.model} · ${state.info.device}`;
  find("tidying").hidden = !state.info.features.includes("tidy");
  find("tidy").checked = state.info.features.includes("tidy_usual");
  find("unlock").hidden = true;
  find("work").hidden = false;
  if (state.wantsSample) await openSample();
  state.wantsSample = false;
}

function listen() {
  find("unlock").addEventListener("submit", (event) => {
    event.preventDefault();
    server.key = find("key").value;
    find("key").value = "";
    guarded(connect);
  });
  find("sample").addEventListener("click", () => guarded(openSample));
  find("browse").addEventListener("click", () => guarded(() => browsing.open()));
  find("modality").addEventListener("change", () => guarded(async () => {
    if (mayForget()) await use(find("modality").value, "chosen by you");
    else find("modality").value = state.volume.modality;
  }));
  find("window").addEventListener("change", () => setWindow(find("window").value));
  find("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!running.isBusy) guarded(segment);
  });
  find("text").addEventListener("keydown", (event) => {
    // A line for each name may be pasted; Enter asks, as in a field of one line.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    find("ask").requestSubmit();
  });
  find("all").addEventListener("change", () => results.showAll(find("all").checked));
  find("doubtful").addEventListener("change", () => { results.doubtfulOnly = find("doubtful").checked; });
  document.addEventListener("keydown", onKey);
  window.addEventListener("beforeunload", (event) => {
    if (correcting.areUnsaved) event.preventDefault();
  });
  for (const button of document.querySelectorAll("[data-save]")) {
    button.addEventListener("click", () => guarded(() => saveAs(button.dataset.save)));
  }
}

async function openSample() {
  await opening.open([new File([await server.sample()], "CTChest.nrrd")]);
  await guarded(() => asking.use(say("lungs, heart, liver, aorta, spine")));
}

async function take(scan, name) {
  if (!mayForget()) return;
  state.scan = scan;
  const { code, source } = guessModality(scan, name);
  find("modality").value = code;
  await use(code, { file: "said by the files", name: "by its name", values: "by its values" }[source]);
  find("work").classList.remove("empty");
  find("controls").hidden = false;
  find("planes").hidden = false;
  viewer.draw();
  find("text").focus();
}

/** Whether corrections that were not saved, if there are any, may go with the scan. */
function mayForget() {
  return !correcting.areUnsaved || confirm(say("Corrections that are not saved would be lost. Go on?"));
}

/** Take the scan as one of a modality; masks of another are forgotten. */
async function use(modality, reason) {
  running.abort();
  state.volume = new Volume(state.scan.grid, state.scan.voxels, modality);
  find("reason").textContent = say(reason);
  correcting.end();
  correcting.settle();
  results.clear();
  warn(state.scan.warnings);
  viewer.show(state.volume, () => correcting.shown());
  const windows = windowsOf(modality);
  find("window").replaceChildren(...windows.map((name) => new Option(say(name), name)), new Option(say("set by hand"), ""));
  find("window").lastChild.hidden = true;
  setWindow(windows[0]);
  await asking.resolve();
}

function setWindow(name) {
  viewer.window = windowNamed(name, state.volume.voxels);
  find("window").value = name;
}

async function segment() {
  if (!(await asking.resolve())) return;
  correcting.end();
  const wanted = asking.prompts;
  // What a person has corrected is not computed anew.
  const kept = wanted.filter((name) => results.get(name)?.edited);
  const prompts = wanted.filter((name) => !kept.includes(name));
  if (!prompts.length) throw new Problem("prompt_invalid", "All of these are corrected, and stay as they are.");
  const { volume } = state;
  const done = await running.run((on, signal) => server.segment(volume, prompts, find("tidy").checked, on, signal), (mask) => {
    if (state.volume === volume) results.add(mask); // else another scan was opened meanwhile
  });
  state.provenance = done.provenance;
  const left = kept.map((name) => new Caution("kept_corrected", "{structure} is kept as it was corrected.", { structure: name }));
  warn([...state.scan.warnings, ...done.warnings, ...left]);
}

function showResults() {
  viewer.draw();
  sceneTile.draw();
  find("results").hidden = results.isEmpty;
  find("filter").hidden = !results.hasDoubt;
  find("all").checked = results.areShown === true;
  find("all").indeterminate = results.areShown === null;
  for (const button of document.querySelectorAll("[data-save]")) {
    button.hidden = !isOffered(button.dataset.save, state.scan?.source);
  }
}

/** Ask the server to carry what was drawn to the rest of the image. */
async function carry(drawing) {
  const found = [];
  await running.run((on, signal) => server.correct(state.volume, drawing, on, signal), (mask) => found.push(mask));
  const [mask] = found;
  // Those about the image stand above the table.
  const said = new Set(state.warnings.map(String));
  mask.warnings = mask.warnings.filter((warning) => !said.has(String(warning)));
  return mask;
}

function onKey(event) {
  if (event.key === "Escape" && !find("browser").open) running.abort();
  const isTyping = ["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName) && !["radio", "range", "checkbox"].includes(event.target.type);
  if (isTyping || !state.volume || find("browser").open) return;
  const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey;
  const preset = isPlain && windowsOf(state.volume.modality)[Number(event.key) - 1];
  if (preset) setWindow(preset);
  else if (!correcting.press(event)) return;
  event.preventDefault();
}

async function saveAs(format) {
  correcting.end();
  const { scan, volume, provenance, info } = state;
  await save(format, {
    volume, window: viewer.window, warnings: state.warnings, grid: volume.grid, results: results.toSave(), provenance, source: scan.source, modality: volume.modality, server,
    maker: { model: String(provenance.model ?? info.model), software: info.software },
  });
  if (!["report", "statistics"].includes(format)) correcting.settle();
}

function showPlace(index) {
  const { grid, voxels, range } = state.volume;
  const [i, j, k] = index;
  const value = voxels[i * grid.strides[0] + j * grid.strides[1] + k];
  const world = grid.toWorld(index).map((mm) => mm.toFixed(1));
  const shown = Number.isInteger(range[0]) && Number.isInteger(range[1]) ? value : value.toPrecision(4);
  find("place").textContent = `R ${world[0]}  A ${world[1]}  S ${world[2]} mm · ${shown}${state.volume.modality === "CT" ? " HU" : ""}`;
}

function warn(cautions) {
  state.warnings = cautions;
  find("warnings").textContent = [...new Set(cautions.map(tell))].join(" ");
}

/** Run something, and tell the user what went wrong. */
async function guarded(action) {
  find("problem").hidden = true;
  try {
    await action();
  } catch (problem) {
    // What is read while it is cancelled ends with an error of the browser's own.
    if (problem.code === "cancelled" || problem.name === "AbortError") return;
    if (problem.code === "unauthorized") {
      find("unlock").hidden = false;
      find("work").hidden = true;
      find("key").focus();
      if (!server.hasKey) return; // the form says what is asked for
    }
    const isKnown = problem instanceof Problem;
    find("problem").textContent = isKnown ? tellProblem(problem) : say("This is a defect of the page.");
    find("problem").hidden = false;
    if (!isKnown) console.error(problem);
  }
}
