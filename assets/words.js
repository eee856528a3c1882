// @ts-check
// What the canvases say: from what is drawn to the sentences beside the pictures and to their alternative texts.

import { number, percent, plural, thin } from "./common.js";

/** @typedef {import("./stages.js").StageScene} StageScene */
/** @typedef {import("./stages.js").Frame} Frame */

// % of a standard Gaussian within 2, in one and two dimensions
const INSIDE_TWO = { 1: 95.45, 2: 100 * (1 - Math.exp(-2)) };

/**
 * The sentences of two stages and a loss strip.
 * @typedef {object} StageWords
 * @property {string} loss beside the loss
 * @property {string} latent beside latent space
 * @property {string} anomalies how many of the points shown are anomalies, and of the rows; empty where none are
 * @property {{ data: string, latent: string, loss: string }} alt
 */

/**
 * @param {StageScene} scene @param {Frame} frame
 * @returns {StageWords}
 */
export function stageWords(scene, frame) {
  const { density, latent } = frame;
  const loss = lossInWords(scene, frame);
  const inside = latent && scene.latent_is_gaussian ? shareInWords(latent, scene) : "";
  const anomalies = anomaliesInWords(scene);
  const over = density ? ` over the ${scene.keeps_density ? "learned density" : "broken flow's output"}` : "";
  const among = anomalies ? ` ${anomalies}` : "";
  const places = inside || (latent ? "the data points' places" : "no points yet");
  return {
    loss,
    latent: inside,
    anomalies,
    alt: {
      data: `Data space: ${plural(scene.points_shape[0], "data point")}${over}; ${loss}.${among}`,
      latent: `Latent space: ${places}.`,
      loss: `Loss: ${loss}.`,
    },
  };
}

/**
 * Step and losses at the frame's step: the newest validation loss that is not after it, and the training loss where
 * the step has no validation loss. At its end a finished run says its distance on fresh draws.
 * @param {StageScene} scene @param {Frame} frame
 */
export function lossInWords(scene, { loss: { step, train, val }, step: now, gap }) {
  const last = now === undefined ? step.length - 1 : lastUpTo(step, now);
  if (last < 0) return step.length ? `step ${thin(now ?? 0)} of ${thin(scene.n_steps)}` : "not trained yet";
  const at = now ?? step[last];
  const said = [`step ${thin(at)} of ${thin(scene.n_steps)}`];
  /** @param {number} value */
  const quantity = (value) => `${thin(value, 3)} ${scene.unit}`.trim();
  let judged = last;
  while (judged >= 0 && !Number.isFinite(val[judged])) judged--;
  if (judged < last) said.push(`training loss ${quantity(train[last])}`);
  if (judged >= 0) {
    const when = judged < last ? ` at step ${thin(step[judged])}` : "";
    said.push(`${scene.keeps_density ? "validation" : "validation loss"} ${quantity(val[judged])}${when}`);
    if (scene.keeps_density && scene.entropy !== null) {
      const finished = last === step.length - 1 ? gap : null;
      said.push(gapInWords(finished ?? val[judged] - scene.entropy, scene.gap_is_bound));
    }
  }
  if (!scene.keeps_density) said.push("which is no likelihood: the flow is broken on purpose");
  return said.join(", ");
}

/**
 * Index of the last of the rising steps that is not after `now`, -1 if there is none.
 * @param {ArrayLike<number>} step @param {number} now
 */
export function lastUpTo(step, now) {
  let i = step.length - 1;
  while (i >= 0 && step[i] > now + 0.5) i--;
  return i;
}

/** As `formatting.above_the_truth` says it. @param {number} gap in nats @param {boolean} [atMost] */
export const gapInWords = (gap, atMost) =>
  `${atMost ? "at most " : ""}${thin(Math.abs(gap), 3)} nats ${gap < 0 ? "below" : "above"} the truth`;

/** @param {StageScene} scene */
function labelled({ color, color_kind }) {
  return color_kind === "label" && color ? color : null;
}

/**
 * How many rows lie within radius 2 of latent space, and how many of a Gaussian do. Anomalies are shown more often than
 * they occur: each point counts for the rows of its kind.
 * @param {ArrayLike<number>} latent (m, 2) @param {StageScene} scene
 */
export function shareInWords(latent, scene) {
  const flat = scene.n_features < 2;
  const kinds = labelled(scene);
  const [near, all] = [
    [0, 0],
    [0, 0],
  ]; // of normal rows and of anomalies
  for (let i = 0; i < latent.length; i += 2) {
    const radius = flat ? Math.abs(latent[i]) : Math.hypot(latent[i], latent[i + 1]);
    if (!Number.isFinite(radius)) continue;
    const kind = kinds?.[i / 2] ? 1 : 0;
    all[kind]++;
    if (radius < 2) near[kind]++;
  }
  const rate = all[1] ? (all[0] ? scene.anomaly_share : 1) : 0;
  const share = (1 - rate) * (near[0] / Math.max(1, all[0])) + rate * (near[1] / Math.max(1, all[1]));
  const expected = INSIDE_TWO[flat ? 1 : 2] / 100;
  return `${percent(share)} within ${flat ? "2 of zero" : "radius 2"}; a Gaussian has ${percent(expected)}`;
}

/**
 * How many of the points shown are anomalies, beside how many rows are; empty without labelled anomalies.
 * @param {StageScene} scene
 */
export function anomaliesInWords(scene) {
  const kinds = labelled(scene);
  const shown = kinds ? kinds.reduce((sum, kind) => sum + (kind ? 1 : 0), 0) : 0;
  if (!kinds || !shown) return "";
  const are = shown === 1 ? "is an anomaly" : "are anomalies";
  const points = `${thin(shown)} of the ${plural(kinds.length, "point")} ${are}`;
  const often = shown / kinds.length > 1.05 * scene.anomaly_share ? ", shown more often than they occur" : "";
  return `${points}; ${percent(scene.anomaly_share)} of the rows are${often}.`;
}

/**
 * Words of the layers: title, note and alternative text.
 * @param {object} now
 * @param {number} now.position
 * @param {string[]} now.names of the layers, the first one empty
 * @param {number} now.m points
 * @param {boolean} now.grid whether a grid is shown
 * @param {{ number: number, x: number, y: number, nats: number | null } | null} now.row followed
 * @param {[number, number] | null} now.volume least and greatest log volume change so far
 * @param {string} now.hint what a click on a point does, said while no row is followed
 */
export function layersInWords({ position, names, m, grid, row, volume, hint }) {
  const layer = Math.round(position);
  const last = names.length - 1;
  const what = names[layer] ? `: ${names[layer]}` : "";
  const title = layer === 0 ? "Data space" : layer === last ? "Latent space" : `After layer ${layer}${what}`;
  let note = hint;
  if (row) {
    note = `Row ${thin(row.number)} at ${thin(row.x, 2)}, ${thin(row.y, 2)}`;
    if (row.nats !== null) note += `; log volume change so far ${thin(row.nats, 3)} nats`;
  }
  const found = volume ? ` Log volume changes so far go from ${thin(volume[0], 2)} to ${thin(volume[1], 2)} nats.` : "";
  const bent = grid ? " and a grid that the layers bend" : "";
  return { title, note, alt: `${title}. ${plural(m, "point")}${bent}.${found} ${note}` };
}

/**
 * How far each run of a race has come: its name and newest finite loss; names the lowest.
 * @param {{ name: string, losses: ArrayLike<number> }[]} racers
 * @param {number | null} floor the entropy
 */
export function raceInWords(racers, floor) {
  if (!racers.length) return "No run has a validation loss yet.";
  const newest = racers.map(({ name, losses }) => {
    let i = losses.length - 1;
    while (i >= 0 && !Number.isFinite(losses[i])) i--;
    return { name, loss: i < 0 ? NaN : losses[i] };
  });
  const known = newest.filter(({ loss }) => Number.isFinite(loss)).sort((a, b) => a.loss - b.loss);
  const ends = newest.map(({ name, loss }) =>
    Number.isFinite(loss) ? `${name} at ${thin(loss, 3)}` : `${name} without a loss`,
  );
  const lead = known.length > 1 ? ` Lowest: ${known[0].name}.` : "";
  const bottom = floor === null ? "" : ` The entropy is ${thin(floor, 3)}.`;
  return `Validation loss against the step: ${ends.join("; ")}.${lead}${bottom}`;
}

/**
 * How many rows are marked, and what the marked ones score.
 * @param {number} count @param {number} m @param {[number, number] | null} between lowest and highest score marked
 */
export function marksInWords(count, m, between) {
  if (!count) return "Draw a loop around points, or drag along the scores, to mark the same rows everywhere.";
  const scores = between ? `, scores from ${number(between[0])} to ${number(between[1])}` : "";
  return `${thin(count)} of ${plural(m, "row")} marked (${percent(count / m)})${scores}`;
}

/** @param {number} points @param {number} anomalies @param {number} most that fit */
export function drawingInWords(points, anomalies, most) {
  let words = plural(points, "point");
  if (anomalies) words += `, ${thin(anomalies)} of them ${anomalies === 1 ? "an anomaly" : "anomalies"}`;
  if (points >= most) words += `; more than ${thin(most)} do not fit`;
  return words;
}

/** A painted picture in words. @param {number} changed @param {number} pixels */
export function pixelsInWords(changed, pixels) {
  return changed ? `${thin(changed)} of ${plural(pixels, "pixel")} painted` : "as it is: paint on it";
}
