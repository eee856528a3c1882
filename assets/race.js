// @ts-check
// Runs that race: one curve for each, ringed where a fork left the run before it; new points are added to it.

import { announce, clamp, make, mountInto, placeTip, provide, say, stateOf, themeOf, thin, unpack } from "./common.js";
import { Approach, Plane } from "./drawing.js";
import { raceInWords } from "./words.js";

const DASHES = [[], [7, 4], [2, 3], [8, 3, 2, 3]];

/** @typedef {import("./common.js").Theme} Theme */
/** @typedef {import("./drawing.js").Point} Point */

/**
 * @typedef {import("./common.js").SceneBase & { loss_label: string, floor: number | null }} RaceScene
 */

/**
 * What one update holds: flowlab/dashboard/canvas/race.py.
 * @typedef {object} Update
 * @property {string[]} names of the runs
 * @property {number[]} starts step at which each left another run
 * @property {number[]} lengths points of each curve
 * @property {number} present index of the run looked at, -1 for none
 * @property {number} n_steps
 * @property {Uint32Array} steps of all curves, one after the other
 * @property {Float32Array} losses of all curves
 */

/**
 * @typedef {object} Racer
 * @property {string} name
 * @property {Uint32Array} steps
 * @property {Float32Array} losses
 * @property {number} start
 * @property {number} width of the line
 */

/** @param {import("./common.js").Component} component @param {RaceScene} scene */
function update({ data, parentElement }, scene) {
  const race = stateOf(parentElement, () => new Race(parentElement, scene));
  race.load(scene, unpack(data));
}

class Race {
  /** @type {Racer[]} */
  racers = [];
  nSteps = 1;
  range = new Approach(); // of the losses shown
  /** @type {Theme | null} */
  theme = null;
  /** @type {Point | null} */
  pointer = null;
  request = 0;
  /** @type {number | null} time stamp of the last drawing in ms */
  drawnAt = null;

  /** @param {HTMLElement | ShadowRoot} parent @param {RaceScene} scene */
  constructor(parent, scene) {
    this.scene = scene;
    this.canvas = make("canvas", { role: "img" });
    this.names = make("div", { cls: "racers" });
    this.tip = make("div", { cls: "tip", role: "tooltip" });
    this.tip.hidden = true;
    this.root = make("div", { cls: "fl race" }, this.names, this.canvas, this.tip);
    mountInto(parent, this.root, scene.css);
    this.plane = new Plane(this.canvas, [10, 12, 40, 62]);
    this.canvas.onpointermove = (e) => {
      this.pointer = [e.offsetX, e.offsetY];
      this.wake();
    };
    this.canvas.onpointerleave = () => {
      this.pointer = null;
      this.wake();
    };
    new ResizeObserver(() => this.wake()).observe(this.root);
  }

  /** @param {RaceScene} scene @param {Update} now */
  load(scene, now) {
    this.scene = scene;
    this.nSteps = now.n_steps;
    const theme = themeOf(this.root, scene.colors);
    this.theme = theme;
    this.racers = split(now);
    const [lo, hi] = raceRange(this.racers, scene.floor);
    const pad = 0.1 * Math.max(hi - lo, 1e-3);
    this.range.aim(Float32Array.of(lo - pad, hi + 2 * pad));
    this.names.replaceChildren(...this.racers.map((racer, i) => this.legend(racer, this.look(i, theme))));
    this.wake();
  }

  wake() {
    this.request ||= requestAnimationFrame((time) => {
      this.request = 0;
      this.draw(time);
    });
  }

  /** Colour and dashes of curve i. @param {number} i @param {Theme} theme */
  look(i, { model, second, third }) {
    return { color: [model, second, third][i % 3], dash: DASHES[i % DASHES.length] };
  }

  /** @param {number} time */
  draw(time) {
    const { plane, scene, theme } = this;
    if (!theme || !plane.fit()) return;
    const moving = this.range.step(clamp(time - (this.drawnAt ?? time), 1, 100), 1e-3);
    this.drawnAt = time;
    const [lo, hi] = this.range.now ?? [0, 1];
    plane.view = [0, Math.max(1, this.nSteps), lo, hi];
    plane.axes(theme, "step", `validation ${scene.loss_label}`, { nx: 8, ny: 5, gridY: true, frame: false });
    plane.clip(() => {
      if (scene.floor !== null) {
        const y = plane.y(scene.floor);
        const right = plane.x0 + plane.pw - 4;
        plane.level(theme.truth, y, { width: 1.5, dash: [2, 4] });
        plane.label(`entropy ${thin(scene.floor, 3)}`, right, y - 5, theme.truth, { align: "right", halo: theme.page });
      }
      for (const [i, { steps, losses, start, width }] of this.racers.entries()) {
        const { color, dash } = this.look(i, theme);
        const points = Array.from(steps, (step, k) => /** @type {Point} */ ([plane.x(step), plane.y(losses[k])]));
        const finite = points.filter(([, y]) => Number.isFinite(y));
        plane.line(color, finite, { width, dash });
        if (start && finite.length) plane.ring(...finite[0], 5.5, color);
      }
      this.showTip(theme);
    });
    this.canvas.ariaLabel = raceInWords(this.racers, scene.floor);
    announce(this.root, { component: "race", racers: this.racers.length, range: [lo, hi] });
    if (moving) this.wake();
  }

  /** Ring the point nearest to the pointer and tell its numbers. @param {Theme} theme */
  showTip(theme) {
    const { plane, pointer } = this;
    /** @type {{ x: number, y: number, text: string } | null} */
    let best = null;
    let least = 24 ** 2;
    if (pointer) {
      for (const { name, steps, losses } of this.racers) {
        for (const [k, step] of steps.entries()) {
          const [x, y] = [plane.x(step), plane.y(losses[k])];
          const d = (x - pointer[0]) ** 2 + (y - pointer[1]) ** 2;
          if (d >= least || Number.isNaN(d)) continue;
          least = d;
          best = { x, y, text: `${name}\nstep ${thin(step)}: ${thin(losses[k], 3)}` };
        }
      }
    }
    this.tip.hidden = !best;
    if (!best) return;
    plane.ring(best.x, best.y, 4, theme.text);
    say(this.tip, best.text);
    placeTip(this.tip, best.x, this.canvas.offsetTop + best.y - 30, plane.width - 260);
  }

  /** @param {Racer} racer @param {{ color: string, dash: number[] }} look */
  legend({ name, width }, { color, dash }) {
    const canvas = make("canvas", { width: "56", height: "12", "aria-hidden": "true" });
    const ctx = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    ctx.scale(2, 2);
    ctx.strokeStyle = color;
    ctx.lineWidth = width;
    ctx.setLineDash(dash);
    ctx.moveTo(0, 3);
    ctx.lineTo(28, 3);
    ctx.stroke();
    return make("span", {}, canvas, name);
  }
}

/**
 * The curves of an update.
 * @param {Update} now
 * @returns {Racer[]}
 */
export function split({ names, lengths, steps, losses, starts, present }) {
  let to = 0;
  return names.map((name, i) => {
    const from = to;
    to += lengths[i];
    const width = i === present ? 3 : 1.8;
    return { name, steps: steps.subarray(from, to), losses: losses.subarray(from, to), start: starts[i], width };
  });
}

/**
 * Lowest and highest loss to show. The first losses may be hundreds of nats: the highest tenth is left out, but not the
 * ends of the curves.
 * @param {{ losses: ArrayLike<number> }[]} racers @param {number | null} floor
 * @returns {[number, number]}
 */
export function raceRange(racers, floor) {
  const curves = racers.map(({ losses }) => Array.from(losses));
  const all = curves
    .flat()
    .filter(Number.isFinite)
    .sort((a, b) => a - b);
  if (!all.length) return [0, 1];
  const ends = curves.map((losses) => losses[losses.length - 1]).filter(Number.isFinite);
  return [Math.min(all[0], floor ?? Infinity), Math.max(all[Math.floor(0.9 * (all.length - 1))], ...ends)];
}

export default provide("race", update);
