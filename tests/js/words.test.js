// What the canvases say, state by state: step 1, paused, stopped, broken, a film at a step, anomalies among the points.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  anomaliesInWords,
  drawingInWords,
  gapInWords,
  layersInWords,
  lossInWords,
  marksInWords,
  raceInWords,
  shareInWords,
  stageWords,
} from "../../assets/words.js";

const HINT = "Click a point to follow it.";
const SCENE = {
  n_steps: 2500,
  entropy: 0.289,
  unit: "nats",
  keeps_density: true,
  latent_is_gaussian: true,
  n_features: 2,
  color_kind: "angle",
  anomaly_share: 0,
  points_shape: [4, 2],
};
const LOSS = {
  step: [36, 320, 336, 900, 2500],
  train: [2.1, 0.5, 0.49, 0.33, 0.3],
  val: [2, 0.39, 0.388, 0.308, 0.299],
};
const said = (frame, scene = {}) => lossInWords({ ...SCENE, ...scene }, frame);

test("before training, and before the first loss", () => {
  assert.equal(said({ loss: { step: [], train: [], val: [] }, step: 0 }), "not trained yet");
  assert.equal(said({ loss: LOSS, step: 12 }), "step 12 of 2\u2009500");
});

test("step 1 has a training loss only, and no distance from the entropy is said of it", () => {
  const loss = { step: [1], train: [2.061], val: [NaN] };
  assert.equal(said({ loss, step: 1 }), "step 1 of 2\u2009500, training loss 2.061 nats");
});

test("one step after a pause: the new training loss, and the last validation loss with its step", () => {
  const loss = { step: [743, 744], train: [0.34, 0.351], val: [0.332, NaN] };
  assert.equal(
    said({ loss, step: 744 }),
    "step 744 of 2\u2009500, training loss 0.351 nats, validation 0.332 nats at step 743, 0.043 nats above the truth",
  );
});

test("paused or stopped: the last losses", () => {
  const loss = { step: LOSS.step.slice(0, 4), train: LOSS.train.slice(0, 4), val: LOSS.val.slice(0, 4) };
  const words = "step 900 of 2\u2009500, validation 0.308 nats, 0.019 nats above the truth";
  assert.equal(said({ loss, step: 900 }), words);
  assert.equal(said({ loss }), words);
});

test("a film at a step says the loss of that step, not of the end", () => {
  assert.equal(
    said({ loss: LOSS, step: 340, cursor: 340 }),
    "step 340 of 2\u2009500, validation 0.388 nats, 0.099 nats above the truth",
  );
  const end = said({ loss: LOSS, step: 2500, cursor: 2500 });
  assert.equal(end, "step 2\u2009500 of 2\u2009500, validation 0.299 nats, 0.010 nats above the truth");
});

test("a finished run says its distance on fresh draws at its end, and at its end alone", () => {
  const end = said({ loss: LOSS, step: 2500, gap: 0.0123 });
  assert.equal(end, "step 2\u2009500 of 2\u2009500, validation 0.299 nats, 0.012 nats above the truth");
  assert.match(said({ loss: LOSS, step: 340, gap: 0.0123 }), /0\.099 nats above the truth$/);
  assert.match(said({ loss: LOSS, step: 340 }, { gap_is_bound: true }), /, at most 0\.099 nats above the truth$/);
});

test("a broken flow has a loss, but no likelihood and nothing above the entropy", () => {
  const broken = { keeps_density: false };
  const loss = { step: [800], train: [0.99], val: [0.983] };
  const words =
    "step 800 of 2\u2009500, validation loss 0.983 nats, which is no likelihood: the flow is broken on purpose";
  assert.equal(said({ loss, step: 800 }, broken), words);
  const { alt } = stageWords({ ...SCENE, ...broken }, { loss, step: 800, density: [1], latent: null });
  assert.equal(alt.data, `Data space: 4 data points over the broken flow's output; ${words}.`);
  assert.equal(alt.latent, "Latent space: no points yet.");
});

test("without an exact density, and without a unit", () => {
  const loss = { step: [20], train: [0.5], val: [0.25] };
  assert.equal(said({ loss }, { entropy: null }), "step 20 of 2\u2009500, validation 0.250 nats");
  assert.equal(said({ loss }, { entropy: null, unit: "" }), "step 20 of 2\u2009500, validation 0.250");
  assert.equal(gapInWords(-0.5, true), "at most 0.500 nats below the truth");
});

test("the share within radius 2 weighs each point by the rows it stands for", () => {
  assert.equal(shareInWords([0, 0, 3, 0, NaN, 0, 1, 1], SCENE), "66.7 % within radius 2; a Gaussian has 86.5 %");
  const flat = { ...SCENE, n_features: 1 };
  assert.equal(shareInWords([0, 5, 3, 0], flat), "50.0 % within 2 of zero; a Gaussian has 95.5 %");
  // 2 % of the rows are anomalies, half of the points shown are
  const mixed = { ...SCENE, color_kind: "label", color: Uint8Array.of(0, 1, 0, 1), anomaly_share: 0.02 };
  assert.equal(shareInWords([0, 0, 9, 9, 1, 1, 8, 8], mixed), "98.0 % within radius 2; a Gaussian has 86.5 %");
  const only = { ...mixed, color: Uint8Array.of(1, 1), anomaly_share: 1 };
  assert.equal(shareInWords([0, 0, 9, 9], only), "50.0 % within radius 2; a Gaussian has 86.5 %");
});

test("anomalies shown more often than they occur are said to be", () => {
  const scene = { ...SCENE, color_kind: "label", color: Uint8Array.of(0, 1, 0, 1), anomaly_share: 0.02 };
  const words = "2 of the 4 points are anomalies; 2.0 % of the rows are, shown more often than they occur.";
  assert.equal(anomaliesInWords(scene), words);
  assert.equal(
    anomaliesInWords({ ...scene, color: Uint8Array.of(0, 1, 0, 0), anomaly_share: 0.25 }),
    "1 of the 4 points is an anomaly; 25.0 % of the rows are.",
  );
  assert.equal(anomaliesInWords({ ...scene, color_kind: "angle" }), "");
  const told = stageWords(scene, { loss: LOSS, step: 900, latent: [0, 0, 9, 9, 1, 1, 8, 8] });
  assert.equal(told.anomalies, words);
  assert.ok(told.alt.data.endsWith(words));
  assert.equal(told.alt.latent, "Latent space: 98.0 % within radius 2; a Gaussian has 86.5 %.");
});

test("layers: place, row and volume change", () => {
  const now = {
    position: 0,
    names: ["", "changes x", "changes y"],
    m: 600,
    grid: true,
    row: null,
    volume: null,
    hint: HINT,
  };
  assert.deepEqual(layersInWords(now), {
    title: "Data space",
    note: HINT,
    alt: `Data space. 600 points and a grid that the layers bend. ${HINT}`,
  });
  const row = { number: 12006, x: -1.5, y: 0.25, nats: -4.2222 };
  const followed = layersInWords({ ...now, position: 1, row, volume: [-4.5, 1.25] });
  const note = "Row 12\u2009006 at \u22121.50, 0.25; log volume change so far \u22124.222 nats";
  assert.equal(followed.title, "After layer 1: changes x");
  assert.equal(followed.note, note);
  assert.equal(
    followed.alt,
    `After layer 1: changes x. 600 points and a grid that the layers bend. Log volume changes so far go from \u22124.50 to 1.25 nats. ${note}`,
  );
  assert.equal(layersInWords({ ...now, position: 2, m: 1, grid: false }).title, "Latent space");
});

test("the race: newest losses, and which is lowest", () => {
  const racers = [
    { name: "a", losses: [3, 0.5, NaN] },
    { name: "fork of a", losses: [0.25] },
    { name: "b", losses: [NaN] },
  ];
  assert.equal(
    raceInWords(racers, 0.125),
    "Validation loss against the step: a at 0.500; fork of a at 0.250; b without a loss. Lowest: fork of a. The entropy is 0.125.",
  );
  assert.equal(raceInWords([], null), "No run has a validation loss yet.");
});

test("marks and drawings", () => {
  assert.match(marksInWords(0, 600, null), /^Draw a loop/);
  assert.equal(marksInWords(30, 1600, [-2, 12.5]), "30 of 1\u2009600 rows marked (1.9 %), scores from \u22122 to 12.5");
  assert.equal(drawingInWords(1, 1, 2000), "1 point, 1 of them an anomaly");
  assert.equal(
    drawingInWords(2000, 3, 2000),
    "2\u2009000 points, 3 of them anomalies; more than 2\u2009000 do not fit",
  );
});
