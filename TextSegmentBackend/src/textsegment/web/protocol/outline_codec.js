/** A mask and planes, in the form in which they travel to be outlined: docs/protocol.md, section 10. */

import { deflate } from "../files/packing.js";

/**
 * The body of a request for contours.
 *
 * @param {Mask} mask Mask to outline.
 * @param {object[]} planes Each with `place`, `corner`, `i` and `j`.
 * @returns {Promise<Blob>}
 */
export async function encodeOutline({ start, stop, bits }, planes) {
  const head = new TextEncoder().encode(JSON.stringify({ start, stop, planes }));
  const length = new DataView(new ArrayBuffer(4));
  length.setUint32(0, head.length, true);
  return new Blob(["TSO1", length, head, await deflate(bits, "deflate")]);
}
