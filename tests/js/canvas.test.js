// What the canvases compute before they draw: coordinates, selections, positions in time, words.

import assert from "node:assert/strict";
import { test } from "node:test";

import { inside, scoreRange } from "../../assets/brush.js";
import { Approach, catmullRom, Plane } from "../../assets/drawing.js";
import { positionOf, stepAt, takeFrames } from "../../assets/film.js";
import { positionInWords, tint, volumeEnd, windows } from "../../assets/layers.js";
import { outsideStroke } from "../../assets/paint.js";
import { cellsBetween, changedPixels, hexOf, shade } from "../../assets/pixels.js";
import { positionForKey } from "../../assets/player.js";
import { raceRange, split } from "../../assets/race.js";
import { commonRange, contour, curveOf, lossRange, nearestIndex } from "../../assets/stages.js";
import { lastUpTo } from "../../assets/words.js";

function plane(view, width = 100, height = 50) {
  const made = new Plane({ getContext: () => null }, [0, 0, 0, 0]);
  return Object.assign(made, { view, pw: width, ph: height });
}

test("a plane maps data to pixels and back, with y upwards", () => {
  const p = plane([-1, 1, 0, 10]);
  assert.deepEqual([p.x(-1), p.x(0), p.y(0), p.y(10)], [0, 50, 50, 0]);
  assert.deepEqual(p.at(p.x(0.3), p.y(7.5)), [0.30000000000000004, 7.5]);
  assert.ok(p.has(0, 0) && p.has(100, 50) && !p.has(101, 0) && !p.has(0, -1));
});

test("nearest finds a point within reach only", () => {
  const p = plane([0, 100, 0, 50]);
  const xy = [10, 10, 20, 10, 90, 40];
  assert.equal(p.nearest(xy, 18, 40), 1);
  assert.equal(p.nearest(xy, 55, 25), -1);
  assert.equal(p.nearest(xy, 60, 25, 60), 2);
});

test("an approach ends in the same place after many small steps as after one large one", () => {
  const [many, one] = [new Approach(), new Approach()];
  for (const approach of [many, one]) {
    approach.aim([0, 0]);
    approach.goal = [1, NaN];
  }
  for (let i = 0; i < 10; i++) many.step(10, 1e-3);
  one.step(100, 1e-3);
  assert.ok(Math.abs(many.now[0] - one.now[0]) < 1e-6);
  assert.ok(one.now[0] > 0.6 && one.now[0] < 0.7, "1 - exp(-100 / 95)");
  assert.ok(Number.isNaN(one.now[1]));
  assert.equal(one.step(5000, 1e-3), true, "it has just moved");
  assert.equal(one.step(5000, 1e-3), false);
  assert.equal(one.now[0], 1, "it arrives");
});

test("Catmull-Rom weights pass through the values and sum to one", () => {
  assert.deepEqual(catmullRom(0).map(Math.abs), [0, 1, 0, 0]);
  for (const t of [0, 0.25, 0.7, 1]) assert.ok(Math.abs(catmullRom(t).reduce((a, b) => a + b) - 1) < 1e-12);
});

test("inside follows the even-odd rule: a notch is outside, a figure of eight has two halves", () => {
  const notched = [
    [0, 0],
    [10, 0],
    [10, 10],
    [5, 2],
    [0, 10],
  ];
  assert.ok(inside(notched, 2, 3) && inside(notched, 8, 3));
  assert.ok(!inside(notched, 5, 6) && !inside(notched, 11, 1) && !inside(notched, -1, 1));
  const twice = [
    [0, 0],
    [10, 10],
    [10, 0],
    [0, 10],
  ];
  assert.ok(inside(twice, 1, 5) === inside(twice, 9, 5) && inside(twice, 9, 5));
  assert.ok(!inside(twice, 5, 1));
});

test("the scores shown leave out far ones, but not the threshold", () => {
  const scores = Float32Array.from({ length: 1001 }, (_, i) => (i === 1000 ? 1e6 : i));
  const { high, lo, hi } = scoreRange(scores, null);
  assert.deepEqual([high, lo, hi], [950, 0, 995]);
  assert.equal(scoreRange(scores, 2000).hi, 2100);
  assert.deepEqual(scoreRange([3, 3, NaN], null), { high: 3, lo: 2.5, hi: 3.5 });
});

test("the film: a step and its position are inverse, also between frames", () => {
  const steps = [0, 10, 40];
  assert.deepEqual(
    [0, 0.5, 1, 1.5, 2].map((position) => stepAt(steps, position)),
    [0, 5, 10, 25, 40],
  );
  assert.deepEqual(
    [0, 5, 10, 25, 40].map((step) => positionOf(steps, step)),
    [0, 0.5, 1, 1.5, 2],
  );
  assert.deepEqual([positionOf(steps, -5), positionOf(steps, 99)], [0, 2]);
});

test("the film: frames of a message are put down by step, without what was not sent", () => {
  const steps = Uint32Array.of(5, 9);
  const frames = takeFrames({ steps, latent: Float32Array.of(1, 2, 3, 4) }, new Map([[1, {}]]));
  assert.deepEqual([...frames.keys()], [1, 5, 9]);
  assert.deepEqual(frames.get(9).latent, Float32Array.of(3, 4));
  assert.ok(frames.get(9).density === undefined && Number.isNaN(frames.get(9).top));
  assert.equal(takeFrames({}, frames).size, 3);
});

test("keys of the slider: whole positions, ten at a time, within its ends", () => {
  const at = (key) => positionForKey(key, 3.4, 8);
  assert.deepEqual(["ArrowRight", "ArrowLeft", "PageUp", "PageDown", "Home", "End"].map(at), [4, 3, 8, 0, 0, 8]);
  assert.equal(at("Tab"), null);
});

test("layers: one window where layers are alike, one for each where they are not", () => {
  const cloud = (scale) => Array.from({ length: 400 }, (_, i) => scale * Math.sin(i * 1.7 + (i % 2)));
  const alike = windows([...cloud(1), ...cloud(1.2)], 2, 200);
  assert.deepEqual(alike[0], alike[1]);
  const [small, large] = windows([...cloud(1), ...cloud(20)], 2, 200);
  assert.ok(large[1] - large[0] > 15 * (small[1] - small[0]));
  for (const [x0, x1, y0, y1] of [alike[0], small, large]) assert.ok(Math.abs(x1 - x0 - (y1 - y0)) < 1e-6, "square");
});

test("layers: colours of the volume change, and where their scale ends", () => {
  assert.deepEqual(
    [-99, -2.5, 0, 1.25, 2.5, 99].map((nats) => tint(nats)),
    [0, 0, 32, 48, 64, 64],
  );
  assert.equal(tint(5, 10), 48);
  assert.equal(volumeEnd([0.1, -0.2]), 2.5);
  assert.equal(volumeEnd([-17, 18, 12, NaN]), 20);
  assert.equal(volumeEnd([]), 2.5);
});

test("layers: the position in words", () => {
  const words = [0, 0.5, 1, 1.99, 4].map((position) => positionInWords(position, 4));
  assert.deepEqual(words, [
    "data space",
    "into layer 1 of 4",
    "after layer 1 of 4",
    "after layer 2 of 4",
    "after layer 4 of 4",
  ]);
});

test("the eraser reaches what lies within its radius along the whole stroke", () => {
  const xy = [0, 0, 5, 0.9, 5, 1.1, 11.1, 0, 10.9, 0];
  assert.deepEqual(outsideStroke(xy, [0, 0], [10, 0], [1, 1]), [2, 3]);
  assert.deepEqual(outsideStroke(xy, [0, 0], [0, 0], [1, 1]), [1, 2, 3, 4]);
  assert.deepEqual(outsideStroke(xy, [0, 0], [0, 0], [20, 1]), [2]);
});

test("a stroke over pixels leaves no gap and has a colour", () => {
  assert.deepEqual(cellsBetween([0, 0], [0, 0]), []);
  const between = cellsBetween([0, 0], [2, 5]);
  assert.deepEqual(between.at(-1), [2, 5]);
  assert.deepEqual(
    between.map(([, j]) => j),
    [1, 2, 3, 4, 5],
  );
  assert.equal(changedPixels([0, 0, 0, 1, 1, 1], [0, 0.5, 0, 1, 1, 1], 3), 1);
  assert.equal(changedPixels([0, 1], [1, 0], 1), 2);
  assert.deepEqual([hexOf([1]), hexOf([0.2, 0, 1])], ["#ffffff", "#3300ff"]);
  assert.equal(shade([0.2, 2], 1, 1), "rgb(255 255 255)");
  assert.equal(shade([0, 0.2, 1], 0, 3), "rgb(0 51 255)");
});

test("the race: curves are split by their lengths; the range keeps the ends and leaves out the highest tenth", () => {
  const steps = Uint32Array.of(0, 1, 1, 2, 3);
  const losses = Float32Array.of(4, 3, 3, 2, 1);
  const racers = split({ names: ["a", "b"], lengths: [2, 3], steps, losses, starts: [0, 1], present: 1, n_steps: 3 });
  assert.deepEqual(
    racers.map((racer) => Array.from(racer.losses)),
    [
      [4, 3],
      [3, 2, 1],
    ],
  );
  assert.deepEqual(
    racers.map((racer) => racer.width),
    [1.8, 3],
  );
  const falling = { losses: [900, ...Array.from({ length: 20 }, (_, i) => 20 - i)] };
  assert.deepEqual(raceRange([falling], null), [1, 19]);
  assert.deepEqual(raceRange([falling, { losses: [500] }], -2), [-2, 500]);
  assert.deepEqual(raceRange([], 0), [0, 1]);
});

test("the loss strip: its range zooms in while the loss falls and keeps the floor", () => {
  assert.deepEqual(lossRange([], [], null), [0, 1]);
  assert.deepEqual(lossRange([NaN], [NaN], 0.3), [0.3, 1.3]);
  const [lo, hi] = lossRange([100, 1.1], [100, 1], 0);
  assert.deepEqual([lo, hi], [0, 25]);
});

test("two losses side by side have one range; a curve without values asks for none", () => {
  const [high, low] = [
    { train: [2, 1.5], val: [2.1, 1.6] },
    { train: [1, 0.5], val: [1.1, 0.6] },
  ];
  const [lo, hi] = commonRange([high, low], null);
  assert.deepEqual([lo, hi], commonRange([low, high], null));
  assert.ok(lo <= 0.5 && hi >= 1.6);
  assert.deepEqual(commonRange([high, { train: [], val: [] }], 0.3), lossRange(high.train, high.val, 0.3));
  assert.deepEqual(commonRange([], null), [0, 1]);
});

test("steps: the last one reached, and the one nearest to the pointer", () => {
  const steps = [10, 20, 30];
  assert.deepEqual(
    [5, 10, 29, 29.6, 99].map((now) => lastUpTo(steps, now)),
    [-1, 0, 1, 2, 2],
  );
  assert.deepEqual(
    [-5, 14, 16, 99].map((x) => nearestIndex(steps, x)),
    [0, 0, 1, 2],
  );
  assert.equal(nearestIndex([], 3), -1);
});

test("a contour is where the density has the level, in the window's coordinates", () => {
  const n = 40;
  const at = (i) => -2 + ((i + 0.5) * 4) / n;
  const bell = Array.from({ length: n * n }, (_, i) => Math.exp(-(at(i % n) ** 2 + at(Math.floor(i / n)) ** 2) / 2));
  const line = contour(bell, n, [-2, 2, -2, 2], Math.exp(-0.5));
  assert.ok(line.length > 100 && line.length % 4 === 0);
  for (let i = 0; i < line.length; i += 2) {
    assert.ok(Math.abs(Math.hypot(line[i], line[i + 1]) - 1) < 0.01, "the level is that of radius 1");
  }
  assert.equal(contour(bell, n, [-2, 2, -2, 2], 2).length, 0);
});

test("a density over one feature is a line through its values", () => {
  assert.deepEqual(Array.from(curveOf([1, 3], [0, 4, 0, 5])), [1, 1, 3, 3]);
});
