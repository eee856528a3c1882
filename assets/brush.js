// @ts-check
// Linked brushing: a lasso in data space, in latent space or along the scores marks the same rows everywhere.

import {
  announce,
  clamp,
  extent,
  make,
  mountInto,
  plural,
  provide,
  say,
  stateOf,
  themeOf,
  thin,
  unpack,
} from "./common.js";
import { Marks, Plane } from "./drawing.js";
import { marksInWords } from "./words.js";

const BINS = 40;

/** @typedef {import("./common.js").Theme} Theme */
/** @typedef {import("./drawing.js").Point} Point */
/** @typedef {"data" | "latent" | "score"} PanelName */
const PANELS = /** @type {const} */ (["data", "latent", "score"]);

/**
 * What flowlab/dashboard/canvas/brush.py sends.
 * @typedef {object} BrushSceneFields
 * @property {[number, number, number, number]} window x0, x1, y0, y1 of data space
 * @property {number | null} threshold
 * @property {string} score_label
 * @property {[string, string]} axes
 * @property {string} latent_title
 * @property {[string, string]} latent_axes
 * @property {string} color_kind
 * @property {Float32Array} points (m, 2)
 * @property {[number, number]} points_shape
 * @property {Float32Array} score (m,)
 * @property {Float32Array} [latent] (m, 2)
 * @property {Uint8Array} [labels] (m,)
 * @property {Uint8Array} [color] (m,)
 *
 * @typedef {import("./common.js").SceneBase & BrushSceneFields} BrushScene
 */

/** @param {import("./common.js").Component} component @param {BrushScene} scene */
function update({ data, parentElement, setStateValue }, scene) {
  const brush = stateOf(parentElement, () => new Brush(parentElement, scene));
  /** @type {{ rows: number[] }} */
  const now = unpack(data);
  brush.report = (rows) => setStateValue("rows", rows);
  brush.theme = null; // the theme may have changed
  if (brush.scene !== scene) brush.load(scene);
  const text = String(now.rows);
  if (brush.rowsFromPage !== text) brush.mark(now.rows); // a choice made elsewhere on the page
  brush.rowsFromPage = text;
  brush.wake();
}

class Brush {
  /** @type {Theme | null} */
  theme = null;
  /** @type {string | null} the rows that the page marked last */
  rowsFromPage = null;
  /** @type {{ name: PanelName, path: Point[] } | null} the lasso being drawn */
  lasso = null;
  /** @type {number | null} first bin that the arrow keys mark */
  bound = null;
  /** @type {Marks | null} */
  marks = null;
  marked = new Uint8Array(0); // 1 where a row is marked
  count = 0; // of marked rows
  m = 0; // rows
  /** @type {{ data: Float32Array, latent: Float32Array | undefined }} */
  xy = { data: new Float32Array(0), latent: undefined };
  clipped = new Float32Array(0); // (m,) scores, clipped to the range shown
  bin = new Uint8Array(0); // (m,) bar of each row
  bars = new Uint32Array(BINS); // rows in each bar
  high = 0; // score where the highest 5 % begin
  request = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  reportTimer;
  /** @type {(rows: number[]) => void} */
  report = () => {};

  /** @param {HTMLElement | ShadowRoot} parent @param {BrushScene} scene */
  constructor(parent, scene) {
    const canvas = (tabindex = "-1") => make("canvas", { role: "img", tabindex });
    const action = (/** @type {string} */ text) => make("button", { cls: "chip act", type: "button", text });
    this.scene = scene;
    this.title = { data: make("strong"), latent: make("strong"), score: make("strong") };
    this.canvas = { data: canvas(), latent: canvas(), score: canvas("0") };
    this.plane = {
      data: new Plane(this.canvas.data, [6, 2, 38, 42]),
      latent: new Plane(this.canvas.latent, [6, 2, 38, 42]),
      score: new Plane(this.canvas.score, [6, 2, 38, 42]),
    };
    this.clear = action("Clear");
    this.highest = action("Mark the highest 5 %");
    this.labelled = action("Mark labelled anomalies");
    this.note = make("span", { cls: "note" });
    const panels = PANELS.map((name) =>
      make("div", { cls: "stage" }, make("div", { cls: "head" }, this.title[name]), this.canvas[name]),
    );
    const actions = make("div", { cls: "head" }, this.note, this.labelled, this.highest, this.clear);
    this.root = make("div", { cls: "fl three" }, make("div", { cls: "pair" }, ...panels), actions);
    mountInto(parent, this.root, scene.css);
    this.clear.onclick = () => this.settle([]);
    this.highest.onclick = () => this.settle(this.rowsWhere((i) => this.scene.score[i] >= this.high));
    this.labelled.onclick = () => this.settle(this.rowsWhere((i) => this.scene.labels?.[i]));
    for (const name of PANELS) this.listen(name);
    this.canvas.score.onkeydown = (e) => this.key(e);
    new ResizeObserver(() => this.wake()).observe(this.root);
    this.load(scene);
  }

  /** @param {BrushScene} scene */
  load(scene) {
    this.scene = scene;
    this.m = scene.points_shape[0];
    this.xy = { data: scene.points, latent: scene.latent };
    this.bound = null;
    this.theme = null;
    this.mark([]);
    this.rowsFromPage = null;
    /** @type {HTMLElement} */ (this.canvas.latent.parentElement).hidden = !scene.latent;
    this.labelled.hidden = !scene.labels;
    const { high, lo, hi } = scoreRange(scene.score, scene.threshold);
    this.high = high;
    this.clipped = Float32Array.from(scene.score, (v) => clamp(v, lo, hi)); // far scores stand in the last bar
    this.bin = Uint8Array.from(this.clipped, (v) => Math.min(BINS - 1, Math.floor((BINS * (v - lo)) / (hi - lo))));
    this.bars = new Uint32Array(BINS);
    for (const b of this.bin) this.bars[b]++;
    this.plane.data.view = scene.window;
    this.plane.latent.view = [-4, 4, -4, 4];
    this.plane.score.view = [lo, hi, 0, 1.1 * Math.max(1, ...this.bars)];
    this.title.data.textContent = "Data space";
    this.title.latent.textContent = scene.latent_title;
    this.title.score.textContent = "Anomaly scores";
  }

  wake() {
    this.request ||= requestAnimationFrame(() => {
      this.request = 0;
      this.draw();
    });
  }

  /** @param {KeyboardEvent} e */
  key(e) {
    const by = e.key === "ArrowLeft" ? -1 : e.key === "ArrowRight" ? 1 : 0;
    if (by) {
      const bound = clamp((this.bound ?? BINS) + by, 0, BINS);
      this.bound = bound;
      this.settle(
        this.rowsWhere((i) => this.bin[i] >= bound),
        300,
      );
    } else if (e.key === "Escape") this.settle([]);
    else return;
    e.preventDefault();
  }

  /** @param {PanelName} name */
  listen(name) {
    const canvas = this.canvas[name];
    canvas.onpointerdown = (e) => {
      canvas.setPointerCapture(e.pointerId);
      this.lasso = { name, path: [[e.offsetX, e.offsetY]] };
    };
    canvas.onpointermove = (e) => {
      if (this.lasso?.name !== name) return;
      this.lasso.path.push([e.offsetX, e.offsetY]);
      this.mark(this.rowsInside(this.lasso));
      this.wake();
    };
    const end = () => {
      if (this.lasso?.name !== name) return;
      const rows = this.lasso.path.length > 2 ? this.rowsInside(this.lasso) : [];
      this.lasso = null;
      this.settle(rows);
    };
    canvas.onpointerup = end;
    canvas.onpointercancel = end;
  }

  /** Mark rows and report them after `wait` ms. @param {number[]} rows */
  settle(rows, wait = 0) {
    this.mark(rows);
    clearTimeout(this.reportTimer); // debounce key repeat
    this.reportTimer = setTimeout(() => this.report(rows), wait);
    this.wake();
  }

  /** @param {number[]} rows */
  mark(rows) {
    this.marked = new Uint8Array(this.m);
    this.count = 0;
    for (const i of rows) {
      if (i < 0 || i >= this.m) continue;
      this.marked[i] = 1;
      this.count++;
    }
  }

  /** @param {(i: number) => unknown} test */
  rowsWhere(test) {
    return Array.from({ length: this.m }, (_, i) => i).filter(test);
  }

  /** @param {{ name: PanelName, path: Point[] }} lasso */
  rowsInside({ name, path }) {
    const plane = this.plane[name];
    if (name === "score") {
      const xs = path.map(([x]) => plane.at(x, 0)[0]);
      const [lo, hi] = [Math.min(...xs), Math.max(...xs)];
      return this.rowsWhere((i) => this.clipped[i] >= lo && this.clipped[i] <= hi);
    }
    const xy = this.xy[name];
    return xy ? this.rowsWhere((i) => inside(path, plane.x(xy[2 * i]), plane.y(xy[2 * i + 1]))) : [];
  }

  draw() {
    const { scene, plane, count } = this;
    if (!this.theme || !this.marks) {
      this.theme = themeOf(this.root, scene.colors);
      this.marks = new Marks(this.theme, scene, this.m);
    }
    const theme = this.theme;
    const panels = PANELS.filter((name) => name !== "latent" || scene.latent);
    if (!panels.map((name) => plane[name].fit()).every(Boolean)) return;
    this.drawPoints("data", theme, this.marks);
    this.drawPoints("latent", theme, this.marks);
    this.drawScores(theme);
    if (this.lasso) this.drawLasso(this.lasso, theme);
    this.clear.disabled = !count;
    const words = marksInWords(count, this.m, extent(scene.score.filter((_, i) => this.marked[i])));
    say(this.note, words);
    for (const name of PANELS) {
      const keys = name === "score" ? " Arrow keys mark the highest scores." : "";
      this.canvas[name].ariaLabel = `${this.title[name].textContent}: ${plural(this.m, "row")}. ${words}${keys}`;
    }
    announce(this.root, { component: "brush", marked: count });
  }

  /** @param {"data" | "latent"} name @param {Theme} theme @param {Marks} marks */
  drawPoints(name, theme, marks) {
    const plane = this.plane[name];
    const xy = this.xy[name];
    if (!xy) return;
    plane.clip((ctx) => {
      if (this.count) {
        ctx.globalAlpha = 0.16;
        plane.dots(xy, marks.of);
        ctx.globalAlpha = 1;
        plane.dots(xy, (i) => (this.marked[i] ? marks.of(i) : null));
      } else plane.dots(xy, marks.of);
      for (const radius of name === "latent" ? [1, 2, 3] : []) {
        plane.circlePath(radius);
        ctx.strokeStyle = theme.truth;
        ctx.setLineDash([5, 4]);
        ctx.stroke();
        ctx.setLineDash([]);
      }
    });
    const [xTitle, yTitle] = name === "data" ? this.scene.axes : this.scene.latent_axes;
    plane.axes(theme, xTitle, yTitle);
  }

  /** @param {{ name: PanelName, path: Point[] }} lasso @param {Theme} theme */
  drawLasso({ name, path }, theme) {
    const plane = this.plane[name];
    if (name === "score") {
      const xs = path.map(([x]) => clamp(x, plane.x0, plane.x0 + plane.pw));
      const [left, right] = [Math.min(...xs), Math.max(...xs)];
      plane.ctx.fillStyle = theme.grid;
      plane.ctx.fillRect(left, plane.y0, right - left, plane.ph);
    } else plane.line(theme.text, [...path, path[0]], { width: 1.5, dash: [4, 3] });
  }

  /** @param {Theme} theme */
  drawScores(theme) {
    const plane = this.plane.score;
    const { ctx } = plane;
    const { threshold, score_label } = this.scene;
    const [lo, hi] = Array.from(plane.view);
    const [floor, width] = [plane.y0 + plane.ph, plane.pw / BINS - 1];
    const marked = new Uint32Array(BINS);
    for (let i = 0; i < this.m; i++) marked[this.bin[i]] += this.marked[i];
    for (let b = 0; b < BINS; b++) {
      const x = plane.x(lo + ((hi - lo) * b) / BINS);
      const y = plane.y(this.bars[b]);
      ctx.globalAlpha = this.count ? 0.35 : 1;
      ctx.fillStyle = theme.data;
      ctx.fillRect(x + 0.5, y, width, floor - y);
      ctx.globalAlpha = 1;
      if (!marked[b]) continue;
      const top = plane.y(marked[b]);
      /** @type {Point[]} */
      const edge = [
        [x, top],
        [x + width + 1, top],
      ];
      ctx.fillRect(x + 0.5, top, width, floor - top);
      plane.line(theme.text, edge, { width: 2 });
    }
    plane.axes(theme, score_label, "rows");
    if (threshold === null) return;
    const x = plane.x(threshold);
    const toLeft = x > plane.x0 + plane.pw - 90;
    plane.upright(theme.text, x, { width: 2 });
    plane.label(`threshold ${thin(threshold, 2)}`, x + (toLeft ? -6 : 6), plane.y0 + 14, theme.text, {
      align: toLeft ? "right" : "left",
      halo: theme.page,
      weight: 600,
    });
  }
}

/**
 * The scores to show, up to their 99.5 % quantile and the threshold, and where the highest 5 % begin.
 * @param {ArrayLike<number>} score @param {number | null} threshold
 */
export function scoreRange(score, threshold) {
  const sorted = Float32Array.from(score).filter(Number.isFinite).sort();
  /** @param {number} share */
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))] ?? 0;
  let [lo, hi] = [at(0), at(0.995)];
  if (threshold !== null) hi = Math.max(hi, threshold + 0.05 * (threshold - lo));
  if (!(hi > lo)) [lo, hi] = [lo - 0.5, lo + 0.5];
  return { high: at(0.95), lo, hi };
}

/**
 * Whether (x, y) lies inside a closed outline, by the even-odd rule: how often a ray to the right meets it.
 * @param {Point[]} outline @param {number} x @param {number} y
 */
export function inside(outline, x, y) {
  let odd = false;
  for (let a = 0, b = outline.length - 1; a < outline.length; b = a++) {
    const [[ax, ay], [bx, by]] = [outline[a], outline[b]];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) odd = !odd;
  }
  return odd;
}

export default provide("brush", update);
