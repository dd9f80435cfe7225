/**
 * The surface of a mask, in millimetres of the patient: constrained elastic surface nets (Gibson, 1998).
 *
 * Each cell of eight neighbouring voxels that the border crosses has one point. Points are drawn towards their neighbours,
 * but not far in their cell, so that the surface is smooth and stays within half a voxel of the mask.
 */

const MOST_SAMPLES = 4_000_000;
const ROUNDS = 8;
// Of a point around the middle of its cell, in voxels: with more, what is one voxel thick would vanish.
const ROOM = 0.35;

/**
 * Find the surface of a mask.
 *
 * @param {Mask} mask The mask.
 * @param {Grid} grid Grid of the image.
 * @returns {{points: Float32Array, triangles: Uint32Array}} RAS millimetres, three numbers a point; and three points a
 *     triangle, counterclockwise as seen from outside.
 */
export function surfaceOf(mask, grid) {
  const field = samplesOf(mask);
  const net = crossedCells(field);
  const quads = facesOf(field, net);
  relax(net.points, quads);
  return { points: toWorld(net.points, field, mask, grid), triangles: trianglesOf(quads, grid) };
}

/** One byte for each voxel of the box, or for each few of a large one, with a border of zeros. */
function samplesOf(mask) {
  const step = Math.max(1, Math.ceil(Math.cbrt(mask.boxSize / MOST_SAMPLES)));
  const shape = mask.shape.map((n) => Math.ceil(n / step) + 2);
  const strides = [shape[1] * shape[2], shape[2], 1];
  const sampleOf = (n) => 1 + Math.floor(n / step);
  const counts = new Uint16Array(shape[0] * shape[1] * shape[2]);
  mask.each((i, j, k) => {
    counts[sampleOf(i) * strides[0] + sampleOf(j) * strides[1] + sampleOf(k)] += 1;
  });
  const least = step ** 3 / 2;
  return { step, shape, strides, inside: Uint8Array.from(counts, (count) => (count >= least ? 1 : 0)) };
}

/** A point in the middle of each cell that the border crosses, and the number of the point of each cell. */
function crossedCells({ shape, strides: [si, sj], inside }) {
  const numbers = new Int32Array(inside.length).fill(-1);
  const points = [];
  for (let i = 0; i + 1 < shape[0]; i += 1) {
    for (let j = 0; j + 1 < shape[1]; j += 1) {
      for (let k = 0, at = i * si + j * sj; k + 1 < shape[2]; k += 1, at += 1) {
        const corners = inside[at] + inside[at + 1] + inside[at + sj] + inside[at + sj + 1]
          + inside[at + si] + inside[at + si + 1] + inside[at + si + sj] + inside[at + si + sj + 1];
        if (corners === 0 || corners === 8) continue;
        numbers[at] = points.length / 3;
        points.push(i + 0.5, j + 0.5, k + 0.5);
      }
    }
  }
  return { numbers, points: Float32Array.from(points) };
}

/** Four points around each pair of neighbouring samples of which one is inside, counterclockwise from outside. */
function facesOf({ strides, inside }, { numbers }) {
  const quads = [];
  for (let at = 0; at < inside.length; at += 1) {
    for (let axis = 0; axis < 3; axis += 1) {
      if (inside[at] === inside[at + strides[axis]] || at + strides[axis] >= inside.length) continue;
      const [b, c] = [strides[(axis + 1) % 3], strides[(axis + 2) % 3]];
      const around = [numbers[at - b - c], numbers[at - c], numbers[at], numbers[at - b]];
      quads.push(...(inside[at] ? around : around.reverse()));
    }
  }
  return Uint32Array.from(quads);
}

function relax(points, quads) {
  const middles = points.slice();
  const sums = new Float32Array(points.length);
  const counts = new Float32Array(points.length / 3);
  for (let round = 0; round < ROUNDS; round += 1) {
    sums.fill(0);
    counts.fill(0);
    for (let at = 0; at < quads.length; at += 4) {
      for (let n = 0; n < 4; n += 1) {
        const [one, other] = [quads[at + n], quads[at + ((n + 1) & 3)]];
        for (let axis = 0; axis < 3; axis += 1) {
          sums[3 * one + axis] += points[3 * other + axis];
          sums[3 * other + axis] += points[3 * one + axis];
        }
        counts[one] += 1;
        counts[other] += 1;
      }
    }
    for (let n = 0; n < points.length; n += 1) {
      const mean = sums[n] / counts[Math.floor(n / 3)];
      points[n] = Math.min(Math.max(mean, middles[n] - ROOM), middles[n] + ROOM);
    }
  }
}

function toWorld(points, { step }, { start }, grid) {
  const world = new Float32Array(points.length);
  for (let at = 0; at < points.length; at += 3) {
    // Samples stand in the middle of their voxels, behind one of the border.
    const index = start.map((first, axis) => first + (points[at + axis] - 0.5) * step - 0.5);
    world.set(grid.toWorld(index), at);
  }
  return world;
}

function trianglesOf(quads, { isLeftHanded }) {
  const triangles = new Uint32Array((quads.length / 4) * 6);
  const order = isLeftHanded ? [0, 2, 1, 0, 3, 2] : [0, 1, 2, 0, 2, 3];
  for (let at = 0, to = 0; at < quads.length; at += 4) {
    for (const n of order) { triangles[to] = quads[at + n]; to += 1; }
  }
  return triangles;
}
