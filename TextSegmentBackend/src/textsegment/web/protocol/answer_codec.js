/** The stream of frames in which the server answers: docs/protocol.md, section 6. */

import { Caution } from "../caution.js";
import { Mask } from "../mask.js";
import { crc32, inflate } from "../files/packing.js";
import { Problem } from "../problem.js";

const MOST_HEAD = 65536;
const MOST_PAYLOAD = 2 ** 31;

/**
 * Read an answer to its end.
 *
 * @param {ReadableStream<Uint8Array>} stream Body of the answer.
 * @param {Grid} grid Grid of the image; a mask that does not lie in it is refused.
 * @param {object} on Functions `queued(position)`, `estimated(patches, seconds)`, `progress(fraction, stage)`
 *     and `mask(Mask)`.
 * @returns {Promise<{provenance: object, warnings: Caution[]}>} What the last frame says.
 * @throws {Problem} The error that the server reports, or `stream_broken` if the answer ends without one.
 */
export async function readAnswer(stream, grid, on) {
  const source = new Source(stream.getReader());
  if (text(await source.take(4)) !== "TSF1") throw broken();
  for (;;) {
    const { kind, payload } = await frame(source);
    if (kind === "QUEU") on.queued(json(payload).position);
    else if (kind === "ESTI") on.estimated(json(payload).patches, json(payload).seconds);
    else if (kind === "PROG") on.progress(json(payload).fraction, json(payload).stage);
    else if (kind === "MASK") on.mask(await mask(payload, grid));
    else if (kind === "DONE") return await last(source, json(payload));
    else if (kind === "ERRO") throw fromReport(json(payload));
    else throw broken();
  }
}

/** The error of a report, section 7. */
export function fromReport({ code, message, hint, retry_after_s: retryAfterS, caution }) {
  const known = caution ? Caution.received({ warnings: [message], cautions: [caution] })[0] : null;
  return new Problem(code, message, hint, { retryAfterS, caution: known });
}

async function frame(source) {
  const head = await source.take(12);
  const view = new DataView(head.buffer, head.byteOffset, 12);
  const length = view.getUint32(4, true);
  if (length > MOST_PAYLOAD) throw broken();
  const payload = await source.take(length);
  if (crc32(head.subarray(0, 4), payload) !== view.getUint32(8, true)) throw broken();
  return { kind: text(head.subarray(0, 4)), payload };
}

async function mask(payload, grid) {
  const length = new DataView(payload.buffer, payload.byteOffset, 4).getUint32(0, true);
  if (length > MOST_HEAD) throw broken();
  const head = json(payload.subarray(4, 4 + length));
  const inside = grid.shape.every((n, axis) => head.start[axis] >= 0 && head.start[axis] <= head.stop[axis] && head.stop[axis] <= n);
  if (!inside) throw broken();
  const bits = await inflate(payload.subarray(4 + length), "deflate");
  const { reasons = [], reason_cautions: cautions } = head.statistics;
  const statistics = { ...head.statistics, reasons: Caution.received({ warnings: reasons, cautions }) };
  const made = new Mask({ ...head, statistics, warnings: Caution.received(head) }, bits);
  if (bits.length !== Math.ceil(made.boxSize / 8) || made.count() !== head.statistics.voxel_count) throw broken();
  return made;
}

async function last(source, done) {
  if (!(await source.hasEnded())) throw broken();
  return { provenance: done.provenance, warnings: Caution.received(done) };
}

/** Bytes of a stream, taken in the lengths that are wanted. */
class Source {
  #reader;
  #rest = new Uint8Array(0);

  constructor(reader) {
    this.#reader = reader;
  }

  async take(count) {
    const pieces = [];
    let have = 0;
    while (have < count) {
      if (!this.#rest.length) {
        const { done, value } = await this.#reader.read();
        if (done) throw broken();
        this.#rest = value;
      }
      const piece = this.#rest.subarray(0, count - have);
      this.#rest = this.#rest.subarray(piece.length);
      pieces.push(piece);
      have += piece.length;
    }
    if (pieces.length === 1) return pieces[0];
    const all = new Uint8Array(count);
    let at = 0;
    for (const piece of pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }

  async hasEnded() {
    if (this.#rest.length) return false;
    return (await this.#reader.read()).done;
  }
}

function text(bytes) {
  return String.fromCharCode(...bytes);
}

function json(bytes) {
  return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
}

function broken() {
  return new Problem("stream_broken", "The answer of the server broke off.", "Ask again.");
}
