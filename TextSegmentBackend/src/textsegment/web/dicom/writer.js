/** Writes DICOM files (PS3.5, PS3.10): elements as `[tag, VR, value]`, sequences as lists of lists of elements. */

const LONG = new Set(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"]);
const BINARY = { US: [2, "setUint16"], SS: [2, "setInt16"], UL: [4, "setUint32"], FD: [8, "setFloat64"] };
const IMPLEMENTATION = "2.25.196702443182406386207425318637212704835";

export const IMPLICIT = "1.2.840.10008.1.2";
export const EXPLICIT = "1.2.840.10008.1.2.1";
export const DEFLATED = "1.2.840.10008.1.2.1.99";

/**
 * A DICOM file.
 *
 * @param {[number, string, any][]} elements Elements in any order; values are texts, numbers, lists of either, bytes
 *     as they are, or items of a sequence.
 * @param {string} syntax Transfer syntax: implicit, explicit or deflated, little endian.
 * @returns {Promise<Blob>}
 */
export async function dicomFile(elements, syntax) {
  const valueOf = (tag) => elements.find(([one]) => one === tag)[2];
  const meta = encoded([
    [0x00020001, "OB", Uint8Array.of(0, 1)],
    [0x00020002, "UI", valueOf(0x00080016)],
    [0x00020003, "UI", valueOf(0x00080018)],
    [0x00020010, "UI", syntax],
    [0x00020012, "UI", IMPLEMENTATION],
    [0x00020013, "SH", "TEXTSEGMENT"],
  ], true);
  const length = encoded([[0x00020000, "UL", sizeOf(meta)]], true);
  let body = new Blob(encoded(elements, syntax !== IMPLICIT));
  if (syntax === DEFLATED) {
    const stream = body.stream().pipeThrough(new CompressionStream("deflate-raw"));
    const packed = new Uint8Array(await new Response(stream).arrayBuffer());
    body = new Blob([even(packed, 0)]);
  }
  return new Blob([new Uint8Array(128), "DICM", ...length, ...meta, body], { type: "application/dicom" });
}

/** A new unique identifier, from random numbers (PS3.5 B.2). */
export function newUid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return `2.25.${bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n)}`;
}

/** A number as a decimal string of at most 16 characters. */
export function decimal(value) {
  let text = String(value);
  for (let digits = 15; text.length > 16; digits -= 1) text = String(Number(value.toPrecision(digits)));
  return text;
}

/**
 * Elements of a data set that was read, to be written again.
 *
 * @param {DataSet} dataset Data set.
 * @param {Record<number, string>} vrs Value representations of known tags.
 * @param {(tag: number) => boolean} wants Which elements are wanted; of items of sequences, all are.
 */
export function elementsOf(dataset, vrs, wants = () => true) {
  return dataset.entries.filter(({ tag }) => wants(tag)).map(({ tag, vr }) => {
    const known = vrs[tag] ?? (vr || "UN");
    return [tag, known, known === "SQ" ? dataset.items(tag).map((item) => elementsOf(item, vrs)) : dataset.bytes(tag)];
  });
}

/** The bytes of elements in the order of their tags, in pieces. */
function encoded(elements, explicit) {
  const sorted = [...elements].sort(([a], [b]) => a - b);
  return sorted.flatMap(([tag, vr, value]) => {
    const pieces = vr === "SQ" ? value.flatMap((item) => itemOf(item, explicit)) : [bytesOf(vr, value)];
    return [headOf(tag, vr, sizeOf(pieces), explicit), ...pieces];
  });
}

function itemOf(elements, explicit) {
  const pieces = encoded(elements, explicit);
  return [headOf(0xfffee000, "", sizeOf(pieces), false), ...pieces];
}

function headOf(tag, vr, length, explicit) {
  const isLong = !explicit || LONG.has(vr);
  const view = new DataView(new ArrayBuffer(explicit && isLong ? 12 : 8));
  view.setUint16(0, tag >>> 16, true);
  view.setUint16(2, tag & 0xffff, true);
  if (explicit) [...vr].forEach((letter, n) => view.setUint8(4 + n, letter.charCodeAt(0)));
  if (!isLong && length > 0xffff) throw new Error("a value is too long");
  if (isLong) view.setUint32(explicit ? 8 : 4, length, true);
  else view.setUint16(6, length, true);
  return new Uint8Array(view.buffer);
}

function bytesOf(vr, value) {
  if (value instanceof Uint8Array) return even(value, ["UI", "OB", "UN", "OW"].includes(vr) ? 0 : 32);
  if (vr in BINARY) {
    const [each, setter] = BINARY[vr];
    const numbers = [value].flat();
    const view = new DataView(new ArrayBuffer(each * numbers.length));
    numbers.forEach((number, n) => view[setter](each * n, number, true));
    return new Uint8Array(view.buffer);
  }
  if (vr === "AT") return Uint16Array.of(value >>> 16, value & 0xffff);
  const text = [value].flat().map((one) => (typeof one === "number" ? decimal(one) : one)).join("\\");
  return even(Uint8Array.from(text, (letter) => letter.charCodeAt(0)), vr === "UI" ? 0 : 32);
}

function even(bytes, padding) {
  if (bytes.length % 2 === 0) return bytes;
  const padded = new Uint8Array(bytes.length + 1);
  padded.set(bytes);
  padded[bytes.length] = padding;
  return padded;
}

function sizeOf(pieces) {
  return pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
}
