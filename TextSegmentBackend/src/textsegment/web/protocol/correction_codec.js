/** What was drawn, in the form in which it travels to the server: docs/protocol.md, section 5. */

import { packed } from "../view/drawing.js";
import { deflate } from "../files/packing.js";

/**
 * The body of a correction.
 *
 * @param {string} digest Digest of the volume.
 * @param {Drawing} drawing A mask, and what was drawn in it.
 * @returns {Promise<Blob>}
 */
export async function encodeCorrection(digest, drawing) {
  const { mask, grid, edits } = drawing;
  const head = new TextEncoder().encode(JSON.stringify({
    volume: digest,
    name: mask.structure,
    prompt: mask.prompt,
    base: mask.isEmpty ? null : { start: mask.start, stop: mask.stop },
    edits: edits.map(({ axis, slice }) => ({
      start: [0, 1, 2].map((a) => (a === axis ? slice : 0)),
      stop: [0, 1, 2].map((a) => (a === axis ? slice + 1 : grid.shape[a])),
    })),
  }));
  const planes = mask.isEmpty ? [] : [mask.bits];
  for (const edit of edits) {
    const inside = drawing.slicePixels(edit);
    planes.push(packed(new Uint8Array(inside.length).fill(1)), packed(inside));
  }
  const bits = new Uint8Array(await new Blob(planes).arrayBuffer());
  const length = new DataView(new ArrayBuffer(4));
  length.setUint32(0, head.length, true);
  return new Blob(["TSC1", length, head, await deflate(bits, "deflate")]);
}
