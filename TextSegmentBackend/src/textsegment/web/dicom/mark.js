/**
 * The mark of a region that a machine made, by which a later run of the package knows that nobody has changed it
 * since (textsegment.files.rtstruct.revision): the beginning of the SHA-256 of its name, maker and points.
 */

const LONGEST = 64;
const DIGITS = 16;
const STEP_MM = 0.01;

/**
 * The maker of a region, with the mark behind it.
 *
 * @param {string} maker Program and model.
 * @param {string} name Name of the region, as it is written.
 * @param {{points: number[]}[]} contours Closed contours, in the order and with the numbers in which they are written.
 * @returns {Promise<string>}
 */
export async function marked(maker, name, contours) {
  const pieces = [`${name}\nAUTOMATIC\n`, ...contours.flatMap(({ points }) => ["CLOSED_PLANAR", steps(points)])];
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", await new Blob(pieces).arrayBuffer()));
  const digits = [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("").slice(0, DIGITS);
  return `${maker.slice(0, LONGEST - DIGITS - 2)} #${digits}`;
}

/** Points in hundredths of a millimetre, halves to the even one, as 64-bit integers. */
function steps(points) {
  return BigInt64Array.from(points, (value) => BigInt(toEven(value / STEP_MM)));
}

function toEven(value) {
  const below = Math.floor(value);
  if (value - below !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}
