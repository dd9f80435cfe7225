/** Standardised uptake values (SUV by body weight) of PET series, by the rules of the package. */

import { Caution } from "../caution.js";
import { Problem } from "../problem.js";

const LONGEST_UPTAKE_S = 86400;
const NOT_SUV = {
  weight: new Caution("not_suv_weight", "The PET values are Bq/ml, not SUV: the files lack the weight of the patient."),
  dose: new Caution("not_suv_dose", "The PET values are Bq/ml, not SUV: the files lack the dose or its half-life."),
  decay: new Caution("not_suv_decay", "The PET values are Bq/ml, not SUV: they are not corrected for decay to a known time."),
  time: new Caution(
    "not_suv_time", "The PET values are Bq/ml, not SUV: the files lack the time of scan or injection, or these do not fit.",
  ),
};
const MOMENT = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)?(\d\d)?(\.\d{1,6})?([+-]\d{4})?$/;

/**
 * The factor that makes SUV of the values of a series; what is missing leaves them in another unit, with a warning.
 *
 * @param {DataSet[]} datasets Headers of all images.
 * @returns {{factor: number, warnings: Caution[]}}
 * @throws {Problem} If the values are raw counts.
 */
export function suvFactor(datasets) {
  const [first] = datasets;
  const units = first.text(0x00541001);
  if (units === "GML") {
    const isByWeight = (first.text(0x00541006) || "BW") === "BW";
    return { factor: 1, warnings: isByWeight ? [] : [new Caution("suv_by_other_measure", "The PET values are SUV by another measure than body weight.")] };
  }
  let each = 1;
  if (units === "CNTS") {
    // Philips has factors of its own.
    const factor = positive(first, 0x70531000);
    if (factor) return { factor, warnings: [] };
    each = positive(first, 0x70531009);
    if (!each) throw new Problem("volume_invalid", "The PET values are counts, and the files do not say of what.", "Export the series in Bq/ml or as SUV.");
  } else if (units !== "BQML") {
    return { factor: 1, warnings: [new Caution("pet_unit_unknown", "The PET values stay in the unit of the files, which is none of activity.")] };
  }
  const weight = positive(first, 0x00101030);
  const info = first.item(0x00540016);
  const dose = positive(info, 0x00181074);
  const halfLife = positive(info, 0x00181075);
  if (!weight) return lacking(each, "weight");
  if (!dose || !halfLife) return lacking(each, "dose");
  const correction = first.text(0x00541102);
  if (correction === "ADMIN") return { factor: (each * weight * 1000) / dose, warnings: [] };
  if (correction !== "START") return lacking(each, "decay");
  const uptake = uptakeSeconds(datasets, info);
  if (uptake === null) return lacking(each, "time");
  return { factor: (each * weight * 1000) / (dose * 2 ** (-uptake / halfLife)), warnings: [] };
}

function lacking(factor, what) {
  return { factor, warnings: [NOT_SUV[what]] };
}

/** Seconds from injection to scan; null if they are not known. */
function uptakeSeconds(datasets, info) {
  const [first] = datasets;
  const date = first.text(0x00080021);
  const starts = [moment(date + first.text(0x00080031))];
  for (const dataset of datasets) {
    const time = dataset.text(0x00080032);
    starts.push(moment(dataset.text(0x00080022) + time) ?? moment(date + time));
  }
  const known = starts.filter((one) => one !== null);
  if (!known.length) return null;
  const start = Math.min(...known);
  const day = new Date(start).toISOString().slice(0, 10).replaceAll("-", "");
  const sameDay = moment(day + info.text(0x00181072));
  const injected = [moment(info.text(0x00181078)), sameDay, sameDay === null ? null : sameDay - 86400_000];
  const passed = injected.filter((one) => one !== null).map((one) => (start - one) / 1000);
  return passed.find((seconds) => seconds >= 0 && seconds < LONGEST_UPTAKE_S) ?? null;
}

/** Milliseconds of a date and time; the time zone, which few files state, is ignored. */
function moment(text) {
  const found = MOMENT.exec(text);
  if (!found) return null;
  const [, year, month, day, hour, minute = "0", second = "0", fraction = "0"] = found;
  return Date.UTC(year, month - 1, day, hour, minute, second) + 1000 * Number(fraction);
}

function positive(dataset, tag) {
  const value = dataset.decimal(tag, 0);
  return Number.isFinite(value) && value > 0 ? value : 0;
}
