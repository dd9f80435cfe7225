/** Windows: the value in the middle of the greys, and the width from black to white. */

const FIXED = {
  "soft tissue": { level: 40, width: 400 },
  lung: { level: -600, width: 1500 },
  bone: { level: 400, width: 1800 },
  brain: { level: 40, width: 80 },
  "liver window": { level: 90, width: 150 },
  mediastinum: { level: 50, width: 350 },
  "SUV 0 to 5": { level: 2.5, width: 5 },
  "SUV 0 to 10": { level: 5, width: 10 },
};
// Between which shares of the voxels the greys lie, for images whose values have no unit.
const SHARES = { all: [0.005, 0.995], dark: [0.005, 0.9], bright: [0.5, 0.999] };
const NAMES = {
  CT: ["soft tissue", "lung", "bone", "brain", "liver window", "mediastinum", "all"],
  MR: ["all", "dark", "bright"],
  PT: ["SUV 0 to 5", "SUV 0 to 10", "all"],
};
const SAMPLES = 100_000;

/** Names of the windows for images of a modality, the usual one first. */
export function windowsOf(modality) {
  return NAMES[modality];
}

/** The window of a name for an image. */
export function windowNamed(name, voxels) {
  if (FIXED[name]) return FIXED[name];
  const step = Math.max(1, Math.floor(voxels.length / SAMPLES));
  const sample = new Float64Array(Math.ceil(voxels.length / step));
  for (let n = 0; n < sample.length; n += 1) sample[n] = voxels[n * step];
  sample.sort();
  const [low, high] = SHARES[name].map((share) => sample[Math.round(share * (sample.length - 1))]);
  return { level: (low + high) / 2, width: Math.max(high - low, 1e-6) };
}
