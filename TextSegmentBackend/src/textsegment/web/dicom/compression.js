/** Decodes compressed pixels of DICOM images (PS3.5 annex A.4): lossless JPEG, and run lengths. */

import { Problem } from "../problem.js";
import { decodeLossless } from "./jpeg_lossless.js";

const JPEG_LOSSLESS = ["1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"];
const RUN_LENGTHS = "1.2.840.10008.1.2.5";

/** Whether images of a transfer syntax are read here. */
export function isDecoded(syntax) {
  return syntax === RUN_LENGTHS || JPEG_LOSSLESS.includes(syntax);
}

/**
 * Decode the frames of a file.
 *
 * @param {Uint8Array[]} fragments Fragments of the pixels; the first is the table of offsets.
 * @param {string} syntax Transfer syntax.
 * @param {{frames: number, size: number, bits: number}} announced Frames, pixels of each, and bits of a pixel.
 * @returns {Uint8Array} The pixels, little endian.
 * @throws {Problem} If they are damaged, or cannot be told apart.
 */
export function decodeFrames([offsets, ...fragments], syntax, { frames, size, bits }) {
  const each = bits / 8;
  const decoded = new Uint8Array(frames * size * each);
  const pieces = piecesOf(offsets, fragments, frames);
  pieces.forEach((piece, n) => {
    const into = decoded.subarray(n * size * each, (n + 1) * size * each);
    try {
      if (syntax === RUN_LENGTHS) decodeRuns(piece, into, each);
      else place(decodeLossless(piece), into, size, each);
    } catch {
      throw damaged();
    }
  });
  return decoded;
}

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

function place({ samples }, into, size, each) {
  if (samples.length !== size) throw new Error("another size");
  for (let n = 0; n < size; n += 1) {
    into[n * each] = samples[n] & 255;
    if (each === 2) into[2 * n + 1] = samples[n] >> 8;
  }
}

/** Run lengths (PS3.5 annex G): one segment for each byte of a pixel, the highest first. */
function decodeRuns(piece, into, each) {
  const view = new DataView(piece.buffer, piece.byteOffset, piece.byteLength);
  if (view.getUint32(0, true) !== each) throw new Error("other segments");
  for (let segment = 0; segment < each; segment += 1) {
    let from = view.getUint32(4 + 4 * segment, true);
    for (let at = each - 1 - segment; at < into.length;) {
      const length = view.getInt8(from);
      from += 1;
      const count = length >= 0 ? length + 1 : 1 - length;
      if (length === -128) continue;
      for (let n = 0; n < count && at < into.length; n += 1, at += each) into[at] = view.getUint8(length >= 0 ? from + n : from);
      from += length >= 0 ? count : 1;
    }
  }
}

function damaged() {
  return new Problem("input_unreadable", "The compressed data is damaged.", "Copy the series again.");
}
