/** Decodes lossless JPEG with Huffman codes (ITU-T T.81, process 14), the usual compression of DICOM archives. */

import { readStream } from "./jpeg_stream.js";

const SOF3 = 0xc3;

/**
 * Decode a picture in one colour.
 *
 * @param {Uint8Array} bytes One JPEG stream.
 * @returns {Uint16Array} Samples row by row.
 * @throws {Error} If it is another kind of JPEG, or damaged.
 */
export function decodeLossless(bytes) {
  const { precision, width, height, restart, codes: [table], parameters: { first: predictor, shift }, bits } = readStream(bytes, [SOF3]);
  const samples = new Uint16Array(width * height);
  const start = 1 << (precision - shift - 1);
  let fresh = 0; // where prediction began anew
  for (let n = 0, x = 0; n < samples.length; n += 1, x = x + 1 === width ? 0 : x + 1) {
    if (restart && n > 0 && n % restart === 0) {
      bits.skipRestart();
      fresh = n;
    }
    let predicted = start;
    if (n !== fresh) {
      if (n < fresh + width && n - x <= fresh) predicted = samples[n - 1];
      else if (x === 0) predicted = samples[n - width];
      else predicted = predict(predictor, samples[n - 1], samples[n - width], samples[n - width - 1]);
    }
    const size = bits.symbol(table);
    samples[n] = predicted + (size === 16 ? 32768 : bits.number(size));
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
