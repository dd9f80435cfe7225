/** Compression by the browser itself, and checksums. */

import { Problem } from "../problem.js";

/** Compress bytes: "deflate" (a zlib stream) or "gzip". */
export async function deflate(bytes, format) {
  return through(bytes, new CompressionStream(format));
}

/** Decompress bytes: "deflate" (a zlib stream) or "gzip". */
export async function inflate(bytes, format) {
  try {
    return await through(bytes, new DecompressionStream(format));
  } catch {
    throw new Problem("input_unreadable", "The compressed data is damaged.", "Copy the file again.");
  }
}

async function through(bytes, stream) {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
}

const TABLES = crcTables();

function crcTables() {
  const tables = Array.from({ length: 4 }, () => new Uint32Array(256));
  for (let n = 0; n < 256; n += 1) {
    let value = n;
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
    tables[0][n] = value;
  }
  for (let n = 0; n < 256; n += 1) {
    for (let t = 1; t < 4; t += 1) tables[t][n] = (tables[t - 1][n] >>> 8) ^ tables[0][tables[t - 1][n] & 255];
  }
  return tables;
}

/** CRC-32 of zlib, gzip and PNG, of several pieces as if they stood one behind the other. */
export function crc32(...pieces) {
  const [t0, t1, t2, t3] = TABLES;
  let crc = 0xffffffff;
  for (const piece of pieces) {
    let at = 0;
    for (; at + 4 <= piece.length; at += 4) {
      crc ^= piece[at] | (piece[at + 1] << 8) | (piece[at + 2] << 16) | (piece[at + 3] << 24);
      crc = t3[crc & 255] ^ t2[(crc >>> 8) & 255] ^ t1[(crc >>> 16) & 255] ^ t0[crc >>> 24];
    }
    for (; at < piece.length; at += 1) crc = t0[(crc ^ piece[at]) & 255] ^ (crc >>> 8);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
