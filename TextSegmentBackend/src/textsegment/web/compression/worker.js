/** Decodes compressed frames beside the page; the only place where WebAssembly may run. */

import { decodeBy, MissingError } from "./codecs.js";
import { decodeLossless } from "./jpeg_lossless.js";
import { decodeLossy } from "./jpeg_lossy.js";
import { decodeRuns } from "./run_lengths.js";

self.addEventListener("message", async ({ data: { number, kind, piece, size, each } }) => {
  try {
    const pixels = new Uint8Array(size * each);
    if (kind === "run lengths") decodeRuns(piece, pixels, each);
    else place(await samplesOf(kind, piece), pixels, size, each);
    self.postMessage({ number, pixels }, [pixels.buffer]);
  } catch (error) {
    self.postMessage({ number, fault: error instanceof MissingError ? "missing" : "damaged" });
  }
});

function samplesOf(kind, piece) {
  if (kind === "lossless JPEG") return decodeLossless(piece);
  if (kind === "lossy JPEG") return decodeLossy(piece);
  return decodeBy(kind, piece);
}

function place(samples, into, size, each) {
  if (samples.length !== size) throw new Error("another size");
  for (let n = 0; n < size; n += 1) {
    into[n * each] = samples[n] & 255;
    if (each === 2) into[2 * n + 1] = samples[n] >> 8;
  }
}
