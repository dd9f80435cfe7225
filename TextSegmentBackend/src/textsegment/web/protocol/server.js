/** The server that this page came from. */

import { Caution } from "../caution.js";
import { fromReport, readAnswer } from "./answer_codec.js";
import { encodeCorrection } from "./correction_codec.js";
import { encodeOutline } from "./outline_codec.js";
import { Problem } from "../problem.js";

const VERSION = "1";
const MOST_TRIES = 5;
// Failures after which an upload is tried again.
const PASSING = new Set(["server_unreachable", "upload_out_of_step", "checksum_mismatch", "request_timeout", "busy"]);

/** What the page asks of its server, with the access key in memory only. */
export class Server {
  #key = "";
  #uploaded = new Set();
  #limits = null;

  /** Use an access key from now on; an empty one for none. */
  set key(key) {
    this.#key = key;
  }

  /** Whether there is an access key. */
  get hasKey() {
    return this.#key !== "";
  }

  /** Model, limits and structures, and the `features` that the server has beyond the first version. */
  async info() {
    const answer = await this.#ask("GET", "/v1/info");
    const features = (answer.headers.get("TextSegment-Features") ?? "").split(",").map((name) => name.trim());
    const info = await answer.json();
    this.#limits = info.limits;
    return { ...info, features };
  }

  /** A chest CT to try the page with. */
  async sample() {
    return (await this.#ask("GET", "/app/sample.nrrd")).arrayBuffer();
  }

  /** What each term of a text stands for; the warnings of each are cautions. */
  async resolve(text, modality, signal) {
    const { terms } = await (await this.#post("/v1/terms/resolve", { text, modality, details: true }, signal)).json();
    return terms.map((term) => ({ ...term, warnings: Caution.received(term) }));
  }

  /** Terms of the anatomy tree that a text may mean, best match first. */
  async search(text, modality, limit, signal) {
    return (await (await this.#post("/v1/terms/search", { text, modality, limit }, signal)).json()).terms;
  }

  /** Terms below one of the anatomy tree, or its top, each with its children. */
  async tree(modality, under, signal) {
    const query = new URLSearchParams({ modality, depth: 2, ...(under ? { under } : {}) });
    return (await (await this.#ask("GET", `/v1/terms/tree?${query}`, null, "", signal)).json()).terms;
  }

  /** Sets of structures. */
  async templates(modality) {
    const query = new URLSearchParams({ modality });
    return (await (await this.#ask("GET", `/v1/terms/templates?${query}`)).json()).templates;
  }

  /** The structures of the model, with their codes. */
  async structures(modality) {
    const query = new URLSearchParams({ modality });
    return (await (await this.#ask("GET", `/v1/terms/structures?${query}`)).json()).structures;
  }

  /**
   * Contours of a mask on planes; nothing else about the images is sent.
   *
   * @returns {Promise<{plane: number, points: number[]}[]>}
   */
  async contours(mask, planes) {
    const body = await encodeOutline(mask, planes);
    const answer = await this.#ask("POST", "/v1/contours", body, "application/vnd.textsegment.outline");
    return (await answer.json()).contours;
  }

  /**
   * Segment structures; the volume is uploaded unless this page has done so before.
   *
   * @param {Volume} volume The scan.
   * @param {string[]} prompts Structures, in the words of the model.
   * @param {boolean} tidy Whether masks are tidied by rules of anatomy.
   * @param {object} on As for `readAnswer`; `progress` also with the stage "uploading".
   * @param {AbortSignal} signal Cancels the job.
   * @throws {Problem} As the server says; what is beyond its limits is refused before anything is sent.
   */
  async segment(volume, prompts, tidy, on, signal) {
    this.#requireAccepted(volume, prompts);
    const digest = await volume.digest();
    const body = JSON.stringify({ volume: digest, prompts, estimate: true, details: true, ...(tidy && { tidy }) });
    return this.#compute(volume, digest, "/v1/segment", body, "application/json", on, signal);
  }

  /**
   * Carry what was drawn into a mask to the rest of the image; the answer is one mask.
   *
   * @param {Volume} volume The scan.
   * @param {Drawing} drawing The mask, and what was drawn in it.
   * @param {object} on As for `segment`.
   * @param {AbortSignal} signal Cancels the job.
   */
  async correct(volume, drawing, on, signal) {
    this.#requireAccepted(volume, []);
    const digest = await volume.digest();
    const body = await encodeCorrection(digest, drawing);
    return this.#compute(volume, digest, "/v1/correct", body, "application/vnd.textsegment.correction", on, signal);
  }

  /** Refuse what the server would; its answer is lost where it comes in the middle of a long upload. */
  #requireAccepted({ voxels }, prompts) {
    const { max_voxels: mostVoxels, max_volume_bytes: mostBytes, max_prompts: most } = this.#limits;
    if (voxels.length > mostVoxels || voxels.byteLength > mostBytes) {
      throw beyond(
        new Caution(
          "limit_volume", "The volume is larger than the server accepts: {most_voxels} voxels and {most_bytes} bytes.",
          { most_voxels: mostVoxels, most_bytes: mostBytes },
        ),
        "Crop or resample it, or ask the operator of the server.",
      );
    }
    if (prompts.length > most) {
      throw beyond(
        new Caution("limit_prompts", "There are {count} prompts, at most {most} are accepted at once.", { count: prompts.length, most }),
        "Ask in several requests.",
      );
    }
  }

  async #compute(volume, digest, route, body, type, on, signal) {
    for (let tries = 1; ; tries += 1) {
      if (!this.#uploaded.has(digest)) await this.#upload(volume, digest, on, signal);
      this.#uploaded.add(digest);
      try {
        const answer = await this.#ask("POST", route, body, type, signal);
        return await readAnswer(answer.body, volume.grid, on);
      } catch (problem) {
        if (signal.aborted) throw cancelled();
        // Servers keep volumes for a while only, and a new server at this address has none.
        if (problem.code !== "volume_unknown" || tries === MOST_TRIES) throw problem;
        this.#uploaded.delete(digest);
      }
    }
  }

  async #upload(volume, digest, on, signal) {
    const path = `/v1/volumes/${digest}`;
    const packed = !["127.0.0.1", "localhost", "[::1]"].includes(location.hostname);
    let first = 0;
    for (let tries = 1; ; tries += 1) {
      on.progress(0, "uploading");
      try {
        const body = await volume.upload(first, packed);
        await (await this.#ask("PUT", path, body, "application/vnd.textsegment.volume", signal)).arrayBuffer();
        return;
      } catch (problem) {
        if (signal.aborted || tries === MOST_TRIES || !PASSING.has(problem.code)) throw problem;
        await wait(problem.retryAfterS || tries, signal);
      }
      // What has arrived is not sent again.
      const found = await this.#request("HEAD", path, null, "", signal);
      if (found.status === 200) return;
      first = Number(found.headers.get("TextSegment-Next-Chunk") ?? 0);
    }
  }

  #post(path, fields, signal) {
    return this.#ask("POST", path, JSON.stringify(fields), "application/json", signal);
  }

  async #ask(method, path, body = null, type = "", signal = undefined) {
    const answer = await this.#request(method, path, body, type, signal);
    if (answer.status === 426) {
      throw new Problem("version_mismatch", "The server has another version than this page.", "Reload the page.");
    }
    if (!answer.ok) throw await problemOf(answer);
    return answer;
  }

  async #request(method, path, body, type, signal) {
    const headers = { "TextSegment-Protocol": VERSION };
    if (this.#key) headers.Authorization = `Bearer ${this.#key}`;
    if (type) headers["Content-Type"] = type;
    try {
      return await fetch(path, { method, headers, body, signal, credentials: "omit", redirect: "error" });
    } catch (error) {
      if (signal?.aborted) throw cancelled();
      throw new Problem("server_unreachable", "The server does not answer.", "Start it again, then try again.");
    }
  }
}

function beyond(caution, hint) {
  return new Problem("limit_exceeded", caution.sentence, hint, { caution });
}

function cancelled() {
  return new Problem("cancelled", "Cancelled.");
}

async function problemOf(answer) {
  try {
    const caution = JSON.parse(answer.headers.get("TextSegment-Caution") ?? "null");
    return fromReport({ ...(await answer.json()), caution });
  } catch {
    // An answer to HEAD has no body.
    if (answer.status === 401) return new Problem("unauthorized", "The access key is missing or wrong.");
    return new Problem(
      "request_invalid", "The server refused with status {status}.", "Ask its operator.", { values: { status: answer.status } },
    );
  }
}

function wait(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(cancelled());
    });
  });
}
