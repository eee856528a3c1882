// @ts-check
// The film of a run: the browser holds every frame, so that scrubbing and playing ask nothing of the server.

import { announce, clamp, mix, provide, reducedMotion, stateOf, thin, unpack } from "./common.js";
import { Player } from "./player.js";
import { Stages } from "./stages.js";

const PICTURES = /** @type {const} */ (["density", "latent", "samples"]);
const CATCH_UP = 2.5; // frames a second at least when a film that stands at its end follows the training

/**
 * @typedef {object} KeptFrame
 * @property {number} side of the density
 * @property {number} top the density that 255 stands for
 * @property {ArrayLike<number>} [density]
 * @property {ArrayLike<number>} [latent]
 * @property {ArrayLike<number>} [samples]
 */

/**
 * Frames of a message: flowlab/dashboard/canvas/film_player.py `stack_frames`.
 * @typedef {object} FrameArrays
 * @property {Uint32Array} [steps]
 * @property {Float32Array} [density_max]
 * @property {Uint8Array} [density]
 * @property {number[]} [density_shape]
 * @property {Float32Array} [latent]
 * @property {Float32Array} [samples]
 */

/**
 * The frames stay with the scene, which outlives the element.
 * @typedef {import("./stages.js").StageScene & FrameArrays & { frames?: Map<number, KeptFrame> }} FilmScene
 */

/**
 * @typedef {object} UpdateFields
 * @property {number | null} start step to open at
 * @property {boolean} growing the run still trains
 * @property {Uint32Array} listed steps of the film
 * @property {number | null} gap
 * @property {Uint32Array} loss_step
 * @property {Float32Array} loss_train
 * @property {Float32Array} loss_val
 *
 * @typedef {FrameArrays & UpdateFields} Update
 */

/** @param {import("./common.js").Component} component @param {FilmScene} scene */
function update({ data, parentElement, setStateValue }, scene) {
  const film = stateOf(parentElement, () => new Film(parentElement, scene));
  /** @type {Update} */
  const now = unpack(data);
  film.report = (step) => setStateValue("step", step);
  film.stages.theme = null; // the theme may have changed
  film.stages.root.classList.toggle("growing", now.growing);
  if (film.scene !== scene) film.load(scene, now.start);
  film.add(now);
  film.wake();
}

class Film {
  /** @type {FilmScene | null} */
  scene = null;
  /** @type {Map<number, KeptFrame>} by step */
  frames = new Map();
  /** @type {number[]} steps of the frames on the slider, rising */
  steps = [];
  /** @type {import("./stages.js").Frame["loss"]} */
  loss = { step: [], train: [], val: [] };
  /** @type {number | null} */
  gap = null;
  /** @type {number | null} step to open at */
  start = null;
  /** @type {number | null} step last reported to the server; null: the film follows the training */
  reported = null;
  follows = false; // it is on its way to a new last frame
  dragging = false;
  request = 0;
  /** @type {number | null} time stamp of the last drawing in ms */
  drawnAt = null;
  /** @type {Partial<Record<"density" | "latent" | "samples", Float32Array>>} mixed frames, used again */
  mixed = {};
  /** @type {(step: number | null) => void} */
  report = () => {};

  /** @param {HTMLElement | ShadowRoot} parent @param {FilmScene} scene */
  constructor(parent, scene) {
    this.stages = new Stages(parent, scene);
    this.player = new Player({
      label: "Frame of the film",
      seconds: 8,
      moved: () => this.wake(),
      released: (frame) => {
        const step = frame >= this.player.last ? null : this.steps[frame];
        if (step === this.reported) return;
        this.reported = step;
        this.report(step);
      },
      words: (position) => (this.steps.length ? `step ${thin(stepAt(this.steps, position))}` : ""),
    });
    this.stages.root.classList.add("film");
    this.stages.root.insertBefore(this.player.bar, this.stages.strip);
    this.stages.wanted = () => this.wake();
    this.scrubLoss();
  }

  /** @param {FilmScene} scene @param {number | null} start */
  load(scene, start) {
    this.scene = scene;
    this.stages.setScene(scene);
    scene.frames ??= takeFrames(scene, new Map());
    this.frames = scene.frames;
    this.reported = start;
    this.start = start;
    this.steps = [];
  }

  /** @param {Update} now */
  add(now) {
    takeFrames(now, this.frames);
    this.loss = { step: now.loss_step, train: now.loss_train, val: now.loss_val };
    this.gap = now.gap;
    const steps = Array.from(now.listed).filter((step) => this.frames.has(step));
    const before = this.steps;
    const { player } = this;
    if (before.join() === steps.join()) return;
    const follows = (this.follows || player.position >= player.last) && !player.playing && this.reported === null;
    const step = before.length ? stepAt(before, player.position) : (this.start ?? steps[steps.length - 1]);
    this.steps = steps;
    player.setLast(steps.length - 1, positionOf(steps, step));
    this.follows = follows && before.length > 0;
  }

  wake() {
    this.request ||= requestAnimationFrame((time) => this.draw(time));
  }

  /** @param {number} time */
  draw(time) {
    const { player, stages, steps } = this;
    this.request = 0;
    const dt = clamp(time - (this.drawnAt ?? time), 1, 100);
    this.drawnAt = time;
    if (player.playing) this.follows = false;
    if (this.follows) this.follows = follow(player, dt);
    const { position, playing } = player;
    const i = Math.floor(position);
    const step = stepAt(steps, position);
    const a = /** @type {KeptFrame} */ (this.frames.get(steps[i]));
    const b = /** @type {KeptFrame} */ (this.frames.get(steps[Math.min(i + 1, steps.length - 1)]));
    const densityMax = between(a.top, b.top, position - i);
    /** @type {import("./stages.js").Frame} */
    const frame = { side: a.side, densityMax, loss: this.loss, cursor: step, step: Math.round(step), gap: this.gap };
    for (const name of PICTURES) {
      const [from, to] = [a[name], b[name]];
      if (!from || to?.length !== from.length) continue;
      this.mixed[name] = mix(from, to, position - i, this.mixed[name]);
      frame[name] = this.mixed[name];
    }
    const drawn = stages.draw(frame, dt);
    stages.tell(frame);
    if (drawn) announce(stages.root, { component: "film", ...drawn, position, step, length: steps.length, playing });
    if (drawn?.moving || this.follows) this.wake();
  }

  /** Dragging on the loss strip moves through the film. */
  scrubLoss() {
    const canvas = this.stages.canvas.loss;
    const hover = canvas.onpointermove;
    /** @param {PointerEvent} e */
    const seek = (e) => {
      this.player.play(false, false);
      this.follows = false;
      this.player.go(positionOf(this.steps, this.stages.plane.loss.at(e.offsetX, 0)[0]));
    };
    const end = () => {
      if (this.dragging) this.player.settle();
      this.dragging = false;
    };
    canvas.classList.add("scrub");
    canvas.onpointerdown = (e) => {
      canvas.setPointerCapture(e.pointerId);
      this.dragging = true;
      seek(e);
    };
    canvas.onpointermove = (e) => {
      hover?.call(canvas, e);
      if (this.dragging) seek(e);
    };
    canvas.onpointerup = end;
    canvas.onpointercancel = end;
  }
}

/**
 * Put the frames of a message into `into`, by step.
 * @param {FrameArrays} now @param {Map<number, KeptFrame>} into
 */
export function takeFrames(now, into) {
  const steps = now.steps ?? new Uint32Array(0);
  for (const [k, step] of steps.entries()) {
    /** @type {KeptFrame} */
    const frame = { side: now.density_shape?.[1] ?? 0, top: now.density_max?.[k] ?? NaN };
    for (const name of PICTURES) {
      const all = now[name];
      if (!all) continue;
      const size = all.length / steps.length;
      frame[name] = all.subarray(k * size, (k + 1) * size);
    }
    into.set(step, frame);
  }
  return into;
}

/**
 * Move towards the last frame, so that points travel to where training has moved them; true while on the way.
 * @param {Player} player @param {number} dt
 */
function follow(player, dt) {
  const left = player.last - player.position;
  const by = (Math.max(CATCH_UP, 2 * left) * dt) / 1000;
  player.go(reducedMotion() || by >= left ? player.last : player.position + by);
  return player.position < player.last;
}

/** @param {number} a @param {number} b @param {number} t */
const between = (a, b, t) => a + (b - a) * t;

/**
 * The step at a position between frames.
 * @param {number[]} steps @param {number} position
 */
export function stepAt(steps, position) {
  const i = Math.floor(position);
  return between(steps[i], steps[Math.min(i + 1, steps.length - 1)], position - i);
}

/**
 * Where `step` lies among rising `steps`, between two of them if need be.
 * @param {number[]} steps @param {number} step
 */
export function positionOf(steps, step) {
  let i = 0;
  while (i < steps.length - 1 && steps[i + 1] <= step) i++;
  if (i >= steps.length - 1) return i;
  return clamp(i + (step - steps[i]) / (steps[i + 1] - steps[i]), 0, steps.length - 1);
}

export default provide("film", update);
