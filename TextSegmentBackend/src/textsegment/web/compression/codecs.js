/** Decodes JPEG 2000 and JPEG-LS by libraries of others, which may be missing: tools/web_assets.py fetches them. */

const LIBRARIES = {
  "JPEG 2000": { file: "openjpegwasm_decode.js", decoder: "J2KDecoder" },
  "JPEG-LS": { file: "charlswasm_decode.js", decoder: "JpegLSDecoder" },
};
const loaded = {};

/** The library is not there. */
export class MissingError extends Error {}

/**
 * Decode a picture in one colour.
 *
 * @param {"JPEG 2000"|"JPEG-LS"} kind Which compression.
 * @param {Uint8Array} piece The compressed picture.
 * @returns {Promise<Uint8Array|Uint16Array>} Samples row by row; negative ones as in two's complement of 16 bits.
 * @throws {MissingError} Without the library.
 * @throws {Error} If the picture is damaged, or has several colours.
 */
export async function decodeBy(kind, piece) {
  // CharLS takes ten seconds to notice that a small picture was cut off.
  if (kind === "JPEG-LS" && !hasEnd(piece)) throw new Error("cut off");
  const { file, decoder: name } = LIBRARIES[kind];
  loaded[file] ??= load(file);
  const library = await loaded[file];
  const decoder = new library[name]();
  try {
    decoder.getEncodedBuffer(piece.length).set(piece);
    decoder.decode();
    const { bitsPerSample, componentCount } = decoder.getFrameInfo();
    if (componentCount !== 1) throw new Error("not in one colour");
    // A copy: the library's memory does not stay.
    const bytes = decoder.getDecodedBuffer().slice();
    return bitsPerSample > 8 ? new Uint16Array(bytes.buffer) : bytes;
  } finally {
    decoder.delete();
  }
}

async function load(file) {
  const folder = new URL("../assets/", import.meta.url);
  try {
    const { default: start } = await import(new URL(file, folder));
    return await start({ locateFile: (name) => new URL(name, folder).href, print() {}, printErr() {} });
  } catch {
    throw new MissingError(file);
  }
}

/** Whether a stream has its last marker, which zeros may follow. */
function hasEnd(piece) {
  const last = piece.findLastIndex((byte) => byte !== 0);
  return piece[last - 1] === 0xff && piece[last] === 0xd9;
}
