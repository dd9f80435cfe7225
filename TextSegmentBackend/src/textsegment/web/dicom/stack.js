/**
 * Arranges image planes on a regular grid, by the rules of the package (textsegment.files.dicom.stack).
 *
 * A constant shift between planes (gantry tilt) becomes a sheared grid, exactly. Missing or unevenly spaced planes
 * are filled in between their neighbours, with a warning. What makes no grid is refused.
 */

import { Caution } from "../caution.js";
import { Grid } from "../grid.js";
import { Problem } from "../problem.js";

const SAME_DIRECTION = 2e-3;
const SAME_PLACE = 0.02;
const ON_GRID = 0.05;
const MOST_FILLING = 3;

/**
 * Arrange planes.
 *
 * @param {object[]} planes From `planesOf`, in any order.
 * @returns {{grid: Grid, order: number[], places: number[], lower: number[], fraction: number[], warnings: Caution[]}}
 *     The grid; the planes in its order, and where each lies along the third axis, in voxels; for each voxel along
 *     it the number of the plane at or below, and how far it is to the next one, 0 to 1.
 */
export function stackPlanes(planes) {
  const first = planes[0];
  requireParallel(planes);
  const normal = cross(first.i, first.j);
  const depths = planes.map((plane) => dot(plane.position, normal));
  const order = planes.map((_, n) => n).sort((a, b) => depths[a] - depths[b] || a - b);
  const positions = order.map((n) => planes[n].position);
  const depth = order.map((n) => depths[n] - depths[order[0]]);
  let [step, places, warnings] = [null, [0], []];
  if (planes.length === 1) {
    if (!first.thickness) throw new Problem("geometry_invalid", "The only slice does not say how thick it is.", "Give the whole series.");
    step = normal.map((value) => value * first.thickness);
  } else {
    requireDistinct(depth);
    const direction = positions.at(-1).map((value, r) => (value - positions[0][r]) / depth.at(-1));
    requireAligned(positions, depth, direction, first);
    const along = gridAlong(depth);
    ({ places, warnings } = along);
    step = direction.map((value) => value * along.distance);
  }
  const count = Math.round(places.at(-1)) + 1;
  const { lower, fraction } = between(places, count);
  const row = (r) => {
    const sign = r < 2 ? -1 : 1; // from LPS to RAS
    return [first.i[r] * first.spacing[0], first.j[r] * first.spacing[1], step[r], positions[0][r]].map((value) => sign * value);
  };
  const grid = new Grid([...first.shape, count], [...row(0), ...row(1), ...row(2), 0, 0, 0, 1]);
  return { grid, order, places, lower, fraction, warnings };
}

function requireParallel(planes) {
  const first = planes[0];
  for (const plane of planes) {
    const turned = Math.max(...[0, 1, 2].flatMap((r) => [Math.abs(plane.i[r] - first.i[r]), Math.abs(plane.j[r] - first.j[r])]));
    if (turned > SAME_DIRECTION) {
      throw new Problem("geometry_invalid", "The slices of the series point in different directions.", "Choose another series.");
    }
    const isOneSize = plane.shape.every((n, a) => n === first.shape[a])
      && plane.spacing.every((mm, a) => Math.abs(mm - first.spacing[a]) <= 1e-3 * first.spacing[a]);
    if (!isOneSize) {
      throw new Problem("geometry_invalid", "The slices of the series have different sizes.", "Separate them into one folder each.");
    }
  }
}

function requireDistinct(depth) {
  const gaps = gapsOf(depth);
  if (Math.min(...gaps) <= SAME_PLACE * median(gaps)) {
    throw new Problem(
      "volume_invalid", "The series has several images of the same place (time points, phases or echoes).",
      "Save the one to be segmented as its own series.",
    );
  }
}

function requireAligned(positions, depth, direction, first) {
  const sideways = Math.max(...positions.map((position, n) => Math.hypot(
    ...position.map((value, r) => value - positions[0][r] - direction[r] * depth[n]),
  )));
  if (sideways > 0.5 * Math.min(...first.spacing)) {
    throw new Problem(
      "geometry_invalid", "The slices are shifted sideways against each other, irregularly by up to {most_mm} mm.",
      "They make no regular grid: choose another series.", { values: { most_mm: rounded(sideways, 1) } },
    );
  }
}

/** Where planes lie on a regular grid, in voxels, and how far its voxels are apart. */
function gridAlong(depth) {
  const gaps = gapsOf(depth);
  const count = depth.length;
  const mean = depth.at(-1) / (count - 1);
  if (depth.every((value, n) => Math.abs(value / mean - n) <= ON_GRID)) {
    return { places: depth.map((_, n) => n), distance: mean, warnings: [] };
  }
  const least = Math.min(...gaps);
  const steps = gaps.map((gap) => Math.max(Math.round(gap / least), 1));
  const total = steps.reduce((sum, one) => sum + one, 0);
  const regular = steps.reduce((sums, one) => [...sums, sums.at(-1) + one], [0]);
  let [places, distance, warning] = [regular, depth.at(-1) / total, ""];
  if (depth.every((value, n) => Math.abs(value / distance - regular[n]) <= 2 * ON_GRID)) {
    warning = new Caution(
      "slices_filled_in", "Slices are missing or unevenly spaced: {count} were filled in from their neighbours.",
      { count: total + 1 - count },
    );
  } else {
    distance = depth.at(-1) / Math.ceil(depth.at(-1) / median(gaps));
    places = depth.map((value) => value / distance);
    warning = new Caution(
      "slices_uneven", "The slices are unevenly spaced ({least_mm} to {most_mm} mm): the image was resampled to {distance_mm} mm.",
      { least_mm: rounded(least, 2), most_mm: rounded(Math.max(...gaps), 2), distance_mm: rounded(distance, 2) },
    );
  }
  if (places.at(-1) + 1 > MOST_FILLING * count) {
    throw new Problem(
      "geometry_invalid", "Slices are missing: there is a gap of {gap_mm} mm, too wide to fill in.",
      "Give the whole series, or separate its parts.", { values: { gap_mm: Math.round(Math.max(...gaps)) } },
    );
  }
  return { places, distance, warnings: [warning] };
}

function rounded(value, decimals) {
  return Number(value.toFixed(decimals));
}

function between(places, count) {
  const [lower, fraction] = [[], []];
  for (let k = 0, n = 0; k < count; k += 1) {
    while (n + 1 < places.length && places[n + 1] <= k + 1e-9) n += 1;
    const gap = n + 1 < places.length ? places[n + 1] - places[n] : 1;
    const part = n + 1 < places.length ? (k - places[n]) / gap : 0;
    lower.push(n);
    fraction.push(part > 1e-9 ? Math.min(part, 1) : 0);
  }
  return { lower, fraction };
}

function gapsOf(depth) {
  return depth.slice(1).map((value, n) => value - depth[n]);
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function dot(a, b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function cross(a, b) {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}
