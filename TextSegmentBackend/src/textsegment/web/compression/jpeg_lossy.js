/**
 * Decodes lossy JPEG of 8 and 12 bits (ITU-T T.81, processes 1, 2 and 4).
 *
 * Values are those of the Independent JPEG Group's library to the last bit: the same transform in whole numbers (Loeffler,
 * Ligtenberg and Moschytz, 1989), with the same precision.
 */

import { readStream } from "./jpeg_stream.js";

const SOF0 = 0xc0;
const SOF1 = 0xc1;
const FRACTION_BITS = 13;
// Where the coefficients of a stream lie in a block of 8 × 8.
const ZIGZAG = [
  0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
  35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/**
 * Decode a picture in one colour.
 *
 * @param {Uint8Array} bytes One JPEG stream.
 * @returns {Uint16Array} Samples row by row.
 * @throws {Error} If it is another kind of JPEG, or damaged.
 */
export function decodeLossy(bytes) {
  const { precision, width, height, restart, codes, steps, bits } = readStream(bytes, [SOF0, SOF1]);
  if (precision !== 8 && precision !== 12) throw new Error("another precision");
  const samples = new Uint16Array(width * height);
  const across = Math.ceil(width / 8);
  const count = across * Math.ceil(height / 8);
  const block = new Float64Array(64);
  let level = 0;
  for (let n = 0; n < count; n += 1) {
    if (restart && n > 0 && n % restart === 0) {
      bits.skipRestart();
      level = 0;
    }
    level = readBlock(block, bits, codes, steps, level);
    transform(block, precision);
    const [x, y] = [8 * (n % across), 8 * Math.floor(n / across)];
    for (let row = 0; row < Math.min(8, height - y); row += 1) {
      for (let column = 0; column < Math.min(8, width - x); column += 1) samples[(y + row) * width + x + column] = block[8 * row + column];
    }
  }
  return samples;
}

/** Read the coefficients of a block; returns its mean level, from which that of the next one is told. */
function readBlock(block, bits, [levels, others], steps, before) {
  block.fill(0);
  const level = before + bits.number(bits.symbol(levels) & 15);
  block[0] = level * steps[0];
  for (let n = 1; n < 64; n += 1) {
    const symbol = bits.symbol(others);
    const [zeros, size] = [symbol >> 4, symbol & 15];
    if (size === 0 && zeros !== 15) break;
    n += zeros;
    if (n > 63) throw new Error("too many coefficients");
    block[ZIGZAG[n]] = bits.number(size) * steps[n];
  }
  return level;
}

/** Turn coefficients into samples: first columns, with some bits kept for precision, then rows. */
function transform(block, precision) {
  const kept = precision === 8 ? 2 : 1;
  for (let column = 0; column < 8; column += 1) turn(block, column, 8, FRACTION_BITS - kept);
  for (let row = 0; row < 8; row += 1) turn(block, 8 * row, 1, FRACTION_BITS + kept + 3);
  const [middle, most] = [2 ** (precision - 1), 2 ** precision - 1];
  for (let n = 0; n < 64; n += 1) block[n] = Math.min(Math.max(block[n] + middle, 0), most);
}

/** One-dimensional transform of eight numbers in place; factors are in units of 2 ** -13. */
function turn(block, start, step, drop) {
  const at = (n) => block[start + n * step];
  const put = (n, value) => { block[start + n * step] = (value + 2 ** (drop - 1)) >> drop; };
  const shared = (at(2) + at(6)) * 4433;
  const [low, high] = [shared + at(2) * 6270, shared - at(6) * 15137];
  const [sum, difference] = [(at(0) + at(4)) * 2 ** FRACTION_BITS, (at(0) - at(4)) * 2 ** FRACTION_BITS];
  const even = [sum + low, difference + high, difference - high, sum - low];
  const [a, b, c, d] = [at(7), at(5), at(3), at(1)];
  const all = (a + b + c + d) * 9633;
  const [ad, bc] = [(a + d) * -7373, (b + c) * -20995];
  const [ac, bd] = [all + (a + c) * -16069, all + (b + d) * -3196];
  const odd = [d * 12299 + ad + bd, c * 25172 + bc + ac, b * 16819 + bc + bd, a * 2446 + ad + ac];
  for (let n = 0; n < 4; n += 1) {
    put(n, even[n] + odd[n]);
    put(7 - n, even[n] - odd[n]);
  }
}
