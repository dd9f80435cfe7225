/** Decodes run lengths of DICOM (PS3.5 annex G): one segment for each byte of a pixel, the highest first. */

/**
 * Decode a frame.
 *
 * @param {Uint8Array} piece The compressed frame.
 * @param {Uint8Array} into Bytes of its pixels, little endian, to be filled.
 * @param {number} each Bytes of a pixel.
 * @throws {Error} If it is damaged.
 */
export function decodeRuns(piece, into, each) {
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
