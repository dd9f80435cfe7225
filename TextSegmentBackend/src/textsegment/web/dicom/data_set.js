/** DICOM data sets: elements by tag, read from bytes as they are, converted only when asked for (PS3.5). */

import { Problem } from "../problem.js";

const UNDEFINED = 0xffffffff;
const ITEM = 0xfffee000;
const END_OF_ITEM = 0xfffee00d;
const END_OF_SEQUENCE = 0xfffee0dd;
const LONG = new Set(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"]);

export const PIXEL_DATA = 0x7fe00010;

/** Elements of a file, or of an item of a sequence. */
export class DataSet {
  #elements;

  /** @param {Map<number, {vr: string, value: Uint8Array, items: DataSet[]|null, implicit: boolean}>} elements By tag. */
  constructor(elements = new Map()) {
    this.#elements = elements;
  }

  /** Whether there is an element with a value. */
  has(tag) {
    const element = this.#elements.get(tag);
    return element !== undefined && (element.items !== null ? element.items.length > 0 : element.value.length > 0);
  }

  /** Whether there is an element, with a value or without. */
  holds(tag) {
    return this.#elements.has(tag);
  }

  /** Tag and value representation of every element, the latter empty where the file does not say it. */
  get entries() {
    return [...this.#elements.entries()].map(([tag, { vr, items }]) => ({ tag, vr: items === null ? vr : "SQ" }));
  }

  /** The bytes of an element as they are; empty without one. */
  bytes(tag) {
    return this.#elements.get(tag)?.value ?? new Uint8Array(0);
  }

  /** The fragments of compressed pixels, the first of which is the table of offsets; none if they are not compressed. */
  fragments(tag) {
    return this.#elements.get(tag)?.fragments ?? [];
  }

  /** The text of an element in ASCII, without padding; empty without one. */
  text(tag) {
    return latin(this.bytes(tag)).replace(/[\0 ]+$/, "").trimStart();
  }

  /** The texts of an element with several values. */
  texts(tag) {
    return this.has(tag) ? this.text(tag).split("\\").map((one) => one.trim()) : [];
  }

  /** The decimal numbers of an element; NaN for what is none. */
  decimals(tag) {
    return this.texts(tag).map((one) => (one === "" ? NaN : Number(one)));
  }

  /** The first decimal number of an element, or another value without one. */
  decimal(tag, otherwise) {
    const [value] = this.decimals(tag);
    return value === undefined || Number.isNaN(value) ? otherwise : value;
  }

  /** The 16-bit number of an element, or another value without one. */
  unsigned(tag, otherwise) {
    const value = this.bytes(tag);
    return value.length < 2 ? otherwise : value[0] | (value[1] << 8);
  }

  /** The items of a sequence; none without one. */
  items(tag) {
    const element = this.#elements.get(tag);
    if (!element) return [];
    element.items ??= new Parser(element.value, 0, element.implicit).items(element.value.length);
    return element.items;
  }

  /** The first item of a sequence, or an empty data set. */
  item(tag) {
    return this.items(tag)[0] ?? new DataSet();
  }
}

/** Whether the bytes may be those of a DICOM file, with or without preamble. */
export function isDicom(bytes) {
  if (latin(bytes.subarray(128, 132)) === "DICM") return true;
  return bytes.length > 8 && [2, 8].includes(bytes[0]) && bytes[1] === 0 && bytes[3] === 0;
}

/**
 * Read a file.
 *
 * @param {Uint8Array} bytes The file, or its beginning.
 * @param {boolean} whole Whether it is all of the file; if not, the pixels may be missing.
 * @returns {Promise<{dataset: DataSet, syntax: string}|null>} Null if the beginning is too short.
 * @throws {Problem} If the file is damaged.
 */
export async function readFile(bytes, whole) {
  try {
    const start = latin(bytes.subarray(128, 132)) === "DICM" ? 132 : 0;
    const parser = new Parser(bytes, start, false);
    const meta = bytes[start] === 2 ? parser.elements(bytes.length, (tag) => tag >>> 16 !== 2) : new DataSet();
    const syntax = meta.text(0x00020010) || (isExplicit(bytes, parser.at) ? "1.2.840.10008.1.2.1" : "1.2.840.10008.1.2");
    if (syntax === "1.2.840.10008.1.2.2") throw new Problem("input_unreadable", "The DICOM files are in big endian order.", "Convert them.");
    let rest = parser;
    if (syntax === "1.2.840.10008.1.2.1.99") {
      if (!whole) return null;
      rest = new Parser(await inflated(bytes.subarray(parser.at)), 0, false);
    }
    rest.implicit = syntax === "1.2.840.10008.1.2";
    const dataset = rest.elements(rest.bytes.length, whole ? () => false : (tag) => tag >= PIXEL_DATA);
    return { dataset, syntax };
  } catch (error) {
    if (error instanceof RangeError && !whole) return null;
    if (error instanceof Problem) throw error;
    throw new Problem("input_unreadable", "A DICOM file is damaged.", "Copy the series again.");
  }
}

function isExplicit(bytes, at) {
  return /^[A-Z]{2}$/.test(latin(bytes.subarray(at + 4, at + 6)));
}

async function inflated(bytes) {
  const through = (part) => new Blob([part]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const all = async (part) => new Uint8Array(await new Response(through(part)).arrayBuffer());
  // A byte of padding makes the length even, and browsers refuse what stands behind the end.
  return all(bytes).catch(() => all(bytes.subarray(0, -1)));
}

function latin(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return text;
}

/** Reads elements one after another; RangeError where the bytes end too early. */
class Parser {
  constructor(bytes, at, implicit) {
    Object.assign(this, { bytes, at, implicit });
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Elements up to a place, or up to the first tag that is not wanted. */
  elements(end, stops) {
    const found = new Map();
    while (this.at < end) {
      const tag = this.#tag();
      if (tag === END_OF_ITEM) {
        this.at += 8;
        break;
      }
      if (stops(tag)) break;
      found.set(tag, this.#element(tag));
    }
    return new DataSet(found);
  }

  /** Items of a sequence up to a place, or up to the end of the sequence. */
  items(end) {
    const found = [];
    while (this.at < end) {
      const tag = this.#tag();
      const length = this.view.getUint32(this.at + 4, true);
      this.at += 8;
      if (tag === END_OF_SEQUENCE) break;
      if (tag !== ITEM) throw new Error("no item");
      const stop = length === UNDEFINED ? Infinity : this.at + length;
      if (stop !== Infinity && stop > this.bytes.length) throw new RangeError("cut off");
      found.push(this.elements(stop, () => false));
    }
    return found;
  }

  /** Fragments of compressed pixels. */
  fragments() {
    const found = [];
    for (;;) {
      const tag = this.#tag();
      const length = this.view.getUint32(this.at + 4, true);
      this.at += 8;
      if (tag === END_OF_SEQUENCE) return found;
      if (tag !== ITEM || this.at + length > this.bytes.length) throw new RangeError("cut off");
      found.push(this.bytes.subarray(this.at, this.at + length));
      this.at += length;
    }
  }

  #tag() {
    return ((this.view.getUint16(this.at, true) << 16) | this.view.getUint16(this.at + 2, true)) >>> 0;
  }

  #element(tag) {
    const vr = this.implicit ? "" : latin(this.bytes.subarray(this.at + 4, this.at + 6));
    let length;
    if (this.implicit || LONG.has(vr)) {
      length = this.view.getUint32(this.at + (this.implicit ? 4 : 8), true);
      this.at += this.implicit ? 8 : 12;
    } else {
      length = this.view.getUint16(this.at + 6, true);
      this.at += 8;
    }
    // Values of unknown kind are encoded as in implicit files (PS3.5 6.2.2).
    const implicit = this.implicit || vr === "UN";
    if (length === UNDEFINED) return { vr, implicit, ...this.#unbounded(tag, implicit) };
    if (this.at + length > this.bytes.length) throw new RangeError("cut off");
    const value = this.bytes.subarray(this.at, this.at + length);
    this.at += length;
    return { vr, implicit, value, items: null };
  }

  #unbounded(tag, implicit) {
    const inner = new Parser(this.bytes, this.at, implicit);
    if (tag === PIXEL_DATA) {
      const fragments = inner.fragments();
      this.at = inner.at;
      return { value: new Uint8Array(0), items: null, fragments };
    }
    const items = inner.items(Infinity);
    this.at = inner.at;
    return { value: new Uint8Array(0), items };
  }
}
