/** Decodes lossless JPEG with Huffman codes (ITU-T T.81, process 14), the usual compression of DICOM archives. */

const SOF3 = 0xc3;
const DHT = 0xc4;
const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
const DRI = 0xdd;
const FAST_BITS = 9;

/**
 * Decode a picture in one colour.
 *
 * @param {Uint8Array} bytes One JPEG stream.
 * @returns {{width: number, height: number, samples: Uint16Array}} Samples row by row.
 * @throws {Error} If it is another kind of JPEG, or damaged.
 */
export function decodeLossless(bytes) {
  const tables = [];
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
    if (marker === DHT) readTables(part, tables);
    else if (marker === DRI) restart = word(part, 0);
    else if (marker === SOF3) frame = { precision: part[0], height: word(part, 1), width: word(part, 3), components: part[5] };
    else if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc8) throw new Error("not lossless");
    else if (marker === SOS) {
      if (!frame || frame.components !== 1 || part[0] !== 1) throw new Error("not in one colour");
      const scan = { table: tables[part[2] >> 4], predictor: part[3], shift: part[5] & 15, restart };
      return { ...frame, samples: decodeScan(bytes.subarray(at), frame, scan) };
    }
  }
  throw new Error("no picture");
}

function word(bytes, at) {
  return (bytes[at] << 8) | bytes[at + 1];
}

/** Read Huffman tables: `fast` has length and symbol of short codes, the rest is found by their largest codes. */
function readTables(part, tables) {
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
    tables[part[at] & 15] = table;
    at += 17 + total;
  }
}

function decodeScan(bytes, { precision, width, height }, { table, predictor, shift, restart }) {
  const samples = new Uint16Array(width * height);
  const bits = new Bits(bytes);
  const first = 1 << (precision - shift - 1);
  let fresh = 0; // where prediction began anew
  for (let n = 0, x = 0; n < samples.length; n += 1, x = x + 1 === width ? 0 : x + 1) {
    if (restart && n > 0 && n % restart === 0) {
      bits.skipRestart();
      fresh = n;
    }
    let predicted = first;
    if (n !== fresh) {
      if (n < fresh + width && n - x <= fresh) predicted = samples[n - 1];
      else if (x === 0) predicted = samples[n - width];
      else predicted = predict(predictor, samples[n - 1], samples[n - width], samples[n - width - 1]);
    }
    samples[n] = predicted + bits.difference(table);
  }
  if (shift) for (let n = 0; n < samples.length; n += 1) samples[n] <<= shift;
  return samples;
}

function predict(predictor, left, above, corner) {
  switch (predictor) {
    case 1: return left;
    case 2: return above;
    case 3: return corner;
    case 4: return left + above - corner;
    case 5: return left + ((above - corner) >> 1);
    case 6: return above + ((left - corner) >> 1);
    case 7: return (left + above) >> 1;
    default: throw new Error("no such predictor");
  }
}

/** Bits of a scan, without the zeros that are stuffed behind bytes of ones. */
class Bits {
  #at = 0;
  #held = 0;
  #count = 0;
  #made = 0; // bits at the end of those that are held, which are none of the scan

  constructor(bytes) {
    this.bytes = bytes;
  }

  /** The next difference: how many bits it has is coded, then these bits follow. */
  difference(table) {
    const size = this.#symbol(table);
    if (size === 0) return 0;
    if (size === 16) return 32768;
    const value = this.#take(size);
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

  #symbol(table) {
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

  #take(count) {
    this.#fill(count);
    this.#use(count);
    return (this.#held >>> this.#count) & ((1 << count) - 1);
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
