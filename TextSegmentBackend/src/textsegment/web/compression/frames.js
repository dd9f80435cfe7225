/** Frames of compressed DICOM images (PS3.5 annex A.4): told apart here, decoded in a worker. */

import { Problem } from "../problem.js";

const KINDS = {
  "1.2.840.10008.1.2.5": "run lengths",
  "1.2.840.10008.1.2.4.50": "lossy JPEG",
  "1.2.840.10008.1.2.4.51": "lossy JPEG",
  "1.2.840.10008.1.2.4.57": "lossless JPEG",
  "1.2.840.10008.1.2.4.70": "lossless JPEG",
  "1.2.840.10008.1.2.4.80": "JPEG-LS",
  "1.2.840.10008.1.2.4.81": "JPEG-LS",
  "1.2.840.10008.1.2.4.90": "JPEG 2000",
  "1.2.840.10008.1.2.4.91": "JPEG 2000",
  // High-throughput.
  "1.2.840.10008.1.2.4.201": "JPEG 2000",
  "1.2.840.10008.1.2.4.202": "JPEG 2000",
  "1.2.840.10008.1.2.4.203": "JPEG 2000",
};

const MOST_WORKERS = 4;

/** Whether images of a transfer syntax are decoded here. */
export function isDecoded(syntax) {
  return syntax in KINDS;
}

/** Decodes frames, several at a time, in workers that end with `end`. */
export class FrameDecoder {
  #workers = [];
  #asked = 0;
  #waiting = new Map();

  /**
   * Decode the frames of a file.
   *
   * @param {Uint8Array[]} fragments Fragments of the pixels; the first is the table of offsets.
   * @param {string} syntax Transfer syntax.
   * @param {{frames: number, size: number, bits: number}} announced Frames, pixels of each, and bits of a pixel.
   * @returns {Promise<Uint8Array>} The pixels, little endian.
   * @throws {Problem} If they are damaged, cannot be told apart, or the server lacks what decodes them.
   */
  async decode([offsets, ...fragments], syntax, { frames, size, bits }) {
    const each = bits / 8;
    const decoded = new Uint8Array(frames * size * each);
    await Promise.all(piecesOf(offsets, fragments, frames).map(async (piece, n) => {
      const { pixels, fault } = await this.#ask({ kind: KINDS[syntax], piece, size, each });
      if (fault) throw fault === "missing" ? missing(KINDS[syntax]) : damaged();
      decoded.set(pixels, n * size * each);
    }));
    return decoded;
  }

  /** Give the memory back. */
  end() {
    for (const worker of this.#workers) worker.terminate();
    this.#workers = [];
  }

  #ask(request) {
    const number = this.#asked;
    this.#asked += 1;
    const worker = this.#worker(number % Math.min(MOST_WORKERS, navigator.hardwareConcurrency));
    // Of its own, since a view would take the whole file along.
    const piece = request.piece.slice();
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject });
      worker.postMessage({ ...request, number, piece }, [piece.buffer]);
    });
  }

  #worker(place) {
    if (this.#workers[place]) return this.#workers[place];
    const worker = new Worker(trusted(new URL("worker.js", import.meta.url).href), { type: "module" });
    worker.onmessage = ({ data }) => {
      this.#waiting.get(data.number).resolve(data);
      this.#waiting.delete(data.number);
    };
    worker.onerror = (event) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(event.message || "a worker did not start"));
      this.#waiting.clear();
    };
    this.#workers[place] = worker;
    return worker;
  }
}

/** The address of a script of ours, as browsers want it that ask where it came from. */
function trusted(address) {
  policy ??= globalThis.trustedTypes?.createPolicy("worker", { createScriptURL: (ours) => ours }) ?? { createScriptURL: (ours) => ours };
  return policy.createScriptURL(address);
}
let policy = null;

/** The bytes of each frame, which may lie in several fragments. */
function piecesOf(offsets, fragments, frames) {
  if (frames === 1) return [joined(fragments)];
  if (fragments.length === frames) return fragments;
  const view = new DataView(offsets.buffer, offsets.byteOffset, offsets.byteLength);
  if (offsets.length !== 4 * frames) throw damaged();
  const starts = [];
  fragments.reduce((at, fragment) => { starts.push(at); return at + 8 + fragment.length; }, 0);
  const firsts = Array.from({ length: frames }, (_, n) => starts.indexOf(view.getUint32(4 * n, true)));
  if (firsts.includes(-1)) throw damaged();
  return firsts.map((first, n) => joined(fragments.slice(first, firsts[n + 1])));
}

function joined(fragments) {
  const all = new Uint8Array(fragments.reduce((sum, one) => sum + one.length, 0));
  fragments.reduce((at, one) => { all.set(one, at); return at + one.length; }, 0);
  return all;
}

function damaged() {
  return new Problem("input_unreadable", "The compressed data is damaged.", "Copy the series again.");
}

function missing(kind) {
  return new Problem(
    "dependency_missing", "This server lacks what decodes these DICOM images: {kind}.",
    "Export them uncompressed; who runs the server can add it (tools/web_assets.py).", { values: { kind } },
  );
}
