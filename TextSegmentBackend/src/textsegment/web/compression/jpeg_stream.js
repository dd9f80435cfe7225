/** JPEG streams with Huffman codes (ITU-T T.81): what stands before a scan, and the bits of the scan. */

const DHT = 0xc4;
const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
const DQT = 0xdb;
const DRI = 0xdd;
const FAST_BITS = 9;

/**
 * Read a stream up to its scan.
 *
 * @param {Uint8Array} bytes One JPEG stream.
 * @param {number[]} kinds Second bytes of the frame markers that are understood.
 * @returns {object} `precision`, `width` and `height` of the frame; `restart`, units between two restarts, 0 for none;
 *     `codes`, tables of the first and of the second kind (DC and AC) of the scan; `steps`, quantization in the order of
 *     the stream; the scan's `parameters`, four bytes of which two share one; and its `bits`.
 * @throws {Error} If it is another kind of JPEG, has several colours, or is damaged.
 */
export function readStream(bytes, kinds) {
  const tables = [[], []];
  const quantization = [];
  let [frame, restart] = [null, 0];
  for (let at = 0; at + 3 < bytes.length;) {
    if (bytes[at] !== 0xff) throw new Error("no marker");
    const marker = bytes[at + 1];
    at += 2;
    if (marker === SOI || marker === 0xff) {
      at -= marker === 0xff ? 1 : 0;
      continue;
    }
    if (marker === EOI) break;
    const part = bytes.subarray(at + 2, at + word(bytes, at));
    at += word(bytes, at);
    if (marker === DHT) readCodes(part, tables);
    else if (marker === DQT) readSteps(part, quantization);
    else if (marker === DRI) restart = word(part, 0);
    else if (kinds.includes(marker)) frame = readFrame(part);
    else if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc8) throw new Error("another kind");
    else if (marker === SOS) {
      if (!frame || part[0] !== 1) throw new Error("not in one colour");
      return {
        ...frame, restart, codes: [tables[0][part[2] >> 4], tables[1][part[2] & 15]], steps: quantization[frame.quantization],
        parameters: { first: part[3], last: part[4], shift: part[5] & 15 }, bits: new Bits(bytes.subarray(at)),
      };
    }
  }
  throw new Error("no picture");
}

function word(bytes, at) {
  return (bytes[at] << 8) | bytes[at + 1];
}

function readFrame(part) {
  if (part[5] !== 1) throw new Error("not in one colour");
  return { precision: part[0], height: word(part, 1), width: word(part, 3), quantization: part[8] };
}

function readSteps(part, quantization) {
  for (let at = 0; at < part.length;) {
    const size = part[at] >> 4 ? 2 : 1;
    const from = at + 1;
    quantization[part[at] & 15] = Int32Array.from({ length: 64 }, (_, n) => (size === 2 ? word(part, from + 2 * n) : part[from + n]));
    at += 1 + 64 * size;
  }
}

/** Read Huffman tables: `fast` has length and symbol of short codes, the rest is found by their largest codes. */
function readCodes(part, tables) {
  for (let at = 0; at < part.length;) {
    const counts = part.subarray(at + 1, at + 17);
    const total = counts.reduce((sum, count) => sum + count, 0);
    const symbols = part.subarray(at + 17, at + 17 + total);
    const table = { symbols, fast: new Uint16Array(1 << FAST_BITS), largest: new Int32Array(18).fill(-1), offset: new Int32Array(18) };
    for (let length = 1, code = 0, n = 0; length <= 16; length += 1, code <<= 1) {
      table.offset[length] = n - code;
      for (let each = 0; each < counts[length - 1]; each += 1, n += 1, code += 1) {
        if (length > FAST_BITS) continue;
        const first = code << (FAST_BITS - length);
        table.fast.fill((length << 8) | symbols[n], first, first + (1 << (FAST_BITS - length)));
      }
      if (counts[length - 1]) table.largest[length] = code - 1;
    }
    tables[(part[at] >> 4) & 1][part[at] & 15] = table;
    at += 17 + total;
  }
}

/** Bits of a scan, without the zeros that are stuffed behind bytes of ones. */
export class Bits {
  #at = 0;
  #held = 0;
  #count = 0;
  #made = 0; // bits at the end of those that are held, which are none of the scan

  constructor(bytes) {
    this.bytes = bytes;
  }

  /** The next symbol, by a table of codes. */
  symbol(table) {
    this.#fill(16);
    const found = table.fast[(this.#held >>> (this.#count - FAST_BITS)) & ((1 << FAST_BITS) - 1)];
    if (found) {
      this.#use(found >> 8);
      return found & 255;
    }
    for (let length = FAST_BITS + 1; length <= 16; length += 1) {
      const code = (this.#held >>> (this.#count - length)) & ((1 << length) - 1);
      if (code <= table.largest[length]) {
        this.#use(length);
        return table.symbols[table.offset[length] + code];
      }
    }
    throw new Error("no such code");
  }

  /** The number in the next bits; those that begin with a zero are negative (T.81 F.2.2.1). */
  number(size) {
    if (size === 0) return 0;
    this.#fill(size);
    this.#use(size);
    const value = (this.#held >>> this.#count) & ((1 << size) - 1);
    return value < 1 << (size - 1) ? value - (1 << size) + 1 : value;
  }

  /** Go on behind a restart marker. */
  skipRestart() {
    this.#held = 0;
    this.#count = 0;
    this.#made = 0;
    while (this.#at < this.bytes.length && !(this.bytes[this.#at] === 0xff && (this.bytes[this.#at + 1] & 0xf8) === 0xd0)) this.#at += 1;
    this.#at += 2;
  }

  #use(count) {
    this.#count -= count;
    if (this.#count < this.#made) throw new Error("cut off");
  }

  /** Hold so many bits at least; behind the end, or a marker, they are made up. */
  #fill(count) {
    while (this.#count < count) {
      let byte = this.bytes[this.#at];
      const isStuffed = byte === 0xff && this.bytes[this.#at + 1] === 0;
      if (byte === undefined || (byte === 0xff && !isStuffed)) {
        byte = 0;
        this.#made += 8;
      } else this.#at += isStuffed ? 2 : 1;
      this.#held = ((this.#held << 8) | byte) >>> 0;
      this.#count += 8;
    }
  }
}
