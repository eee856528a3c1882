// @ts-check
// Two stages (data space, latent space) and the loss strip under them: what the live view and the film both draw.

import {
  clamp,
  isPressed,
  make,
  mountInto,
  number,
  pixelColor,
  placeTip,
  say,
  themeOf,
  thin,
  toggleButton,
} from "./common.js";
import { Approach, fullScreen, HEAT_POWER, Heat, Marks, Plane } from "./drawing.js";
import { anomaliesInWords, lastUpTo, stageWords } from "./words.js";

/**
 * What stays while a run trains: flowlab/dashboard/canvas/live.py `pack_scene`.
 * @typedef {object} StageSceneFields
 * @property {[number, number, number, number]} window x0, x1, y0, y1 of data space
 * @property {number} n_steps
 * @property {number | null} entropy floor of the loss, where it is known
 * @property {boolean} gap_is_bound whether the loss is only an upper bound of what it is held against
 * @property {string} color_kind
 * @property {[string, string]} axes
 * @property {string} loss_unit
 * @property {string} unit
 * @property {boolean} has_density
 * @property {boolean} has_samples
 * @property {boolean} has_latent
 * @property {boolean} keeps_density false for a flow that is broken on purpose
 * @property {number} anomaly_share of all rows
 * @property {number} n_features
 * @property {boolean} latent_is_gaussian
 * @property {Float32Array} points (m, 2)
 * @property {[number, number]} points_shape
 * @property {Uint8Array} [color] (m,)
 * @property {Float32Array} [truth] (n, n) the exact density over the window, row 0 lowest, or (n,) for one feature
 * @property {number[]} [truth_shape]
 * @property {number[]} [truth_levels] densities whose contours are drawn
 *
 * @typedef {import("./common.js").SceneBase & StageSceneFields} StageScene
 */

/**
 * One picture of the model; a part that is missing is not drawn.
 * @typedef {object} Frame
 * @property {ArrayLike<number> | null} [density] (side, side), row 0 lowest
 * @property {number} [side]
 * @property {number} [densityMax] what 255 stands for
 * @property {ArrayLike<number> | null} [latent] (m, 2)
 * @property {ArrayLike<number> | null} [samples] (n, 2)
 * @property {{ step: ArrayLike<number>, train: ArrayLike<number>, val: ArrayLike<number> }} loss
 * @property {{ nSteps: number, train: ArrayLike<number>, val: ArrayLike<number> }} [beside] a run whose loss has the
 *   same axes
 * @property {number} [step] of the frame
 * @property {number} [cursor] step at which a film stands
 * @property {string} [ghost] what the picture is of, where that is another model than the present one
 * @property {number | null} [gap] nats above the truth of the finished run, which its last loss only estimates
 */

/** @typedef {import("./common.js").Theme} Theme */
/** @typedef {import("./drawing.js").Point} Point */
/** @typedef {{ theme: Theme, marks: Marks, small: Marks }} Style `small` marks data points over a density */
/** @typedef {"data" | "latent" | "loss"} PanelName */
/** @typedef {{ name: PanelName, x: number, y: number }} Pointer */

const GHOST = 0.4; // opacity of what another model had learned

export class Stages {
  touched = false; // whether a scene has been set
  styled = ""; // the theme and size that the marks are made for
  /** @type {Theme | null} null: to be read from the page again */
  theme = null;
  /** @type {Pointer | null} */
  pointer = null;
  /** Called when a picture is wanted: the owner then calls `draw`. */
  wanted = () => {};
  /** @type {{ key: string, marks: Marks, picture: OffscreenCanvas } | null} the data points, drawn once */
  layer = null;
  /** @type {Marks | null} */
  marks = null;
  /** @type {Marks | null} for data points over a density */
  small = null;
  /** @type {Float64Array[] | null} the lines of the exact density, in data coordinates */
  truth = null;
  range = new Approach(); // of the loss
  latentView = new Approach();
  heat = new Heat();

  /** @param {HTMLElement | ShadowRoot} parent @param {StageScene} scene */
  constructor(parent, scene) {
    this.scene = scene;
    const canvas = () => make("canvas", { role: "img" });
    this.canvas = { data: canvas(), latent: canvas(), loss: canvas() };
    this.chips = {
      density: toggleButton("Density", true),
      data: toggleButton("Data", true),
      samples: toggleButton("Samples", false),
      truth: toggleButton("Truth", false),
    };
    this.note = { latent: make("span", { cls: "note" }), loss: make("span", { cls: "note" }) };
    this.unit = make("span", { cls: "unit" });
    this.anomalies = make("div", { cls: "note below" });
    this.tip = make("div", { cls: "tip", role: "tooltip" });
    this.tip.hidden = true;
    /** @param {string} title @param {...HTMLElement} rest */
    const head = (title, ...rest) => make("div", { cls: "head" }, make("strong", { text: title }), ...rest);
    const group = { cls: "chips", role: "group", "aria-label": "Show in data space" };
    const chips = make("span", group, ...Object.values(this.chips));
    const stages = make(
      "div",
      { cls: "pair" },
      make("div", { cls: "stage" }, head("Data space", chips), this.canvas.data),
      make("div", { cls: "stage" }, head("Latent space", this.note.latent), this.canvas.latent),
    );
    this.strip = make("div", { cls: "strip" }, head("Loss", this.unit, this.note.loss), this.canvas.loss);
    this.root = make("div", { cls: "fl" }, stages, this.anomalies, this.strip, this.tip);
    mountInto(parent, this.root, scene.css);
    this.plane = {
      data: new Plane(this.canvas.data, [6, 2, 38, 42]),
      latent: new Plane(this.canvas.latent, [6, 2, 38, 42]),
      loss: new Plane(this.canvas.loss, [8, 124, 34, 42]),
    };
    for (const button of Object.values(this.chips)) {
      button.onclick = () => {
        button.setAttribute("aria-pressed", String(!isPressed(button)));
        this.wanted();
      };
    }
    for (const name of /** @type {PanelName[]} */ (["data", "latent", "loss"])) {
      this.canvas[name].onpointermove = (e) => {
        this.pointer = { name, x: e.offsetX, y: e.offsetY };
        this.wanted();
      };
      this.canvas[name].onpointerleave = () => {
        this.pointer = null;
        this.wanted();
      };
    }
    const sizes = new ResizeObserver(() => this.wanted());
    for (const element of [this.root, this.canvas.data, this.canvas.latent]) sizes.observe(element);
    for (const name of /** @type {const} */ (["data", "latent"])) {
      this.canvas[name].addEventListener("click", () => fullScreen(this.canvas[name]));
    }
    this.setScene(scene);
  }

  /** @param {StageScene} scene */
  setScene(scene) {
    this.scene = scene;
    const flat = !scene.has_density;
    this.chips.density.hidden = flat;
    this.chips.truth.hidden = !scene.truth;
    this.truth = null;
    this.chips.samples.hidden = !scene.has_samples;
    if (flat && !this.touched) this.chips.samples.setAttribute("aria-pressed", "true");
    this.touched = true;
    this.plane.data.view = scene.window;
    this.range = new Approach();
    this.latentView = new Approach();
    this.styled = "";
    this.unit.textContent = scene.loss_unit;
    const anomalies = anomaliesInWords(scene);
    this.anomalies.hidden = !anomalies;
    this.root.classList.toggle("labelled", Boolean(anomalies));
  }

  /** The theme and the marks for the present page and size. */
  style() {
    this.theme ??= themeOf(this.root, this.scene.colors);
    const { theme, scene } = this;
    const grow = clamp(this.canvas.data.clientWidth / 400, 1, 1.6);
    const id = `${theme.id} ${devicePixelRatio} ${grow.toFixed(1)}`;
    if (this.styled !== id || !this.marks || !this.small) {
      this.styled = id;
      for (const plane of Object.values(this.plane)) {
        plane.font = theme.font;
        plane.bigger = grow > 1.3;
      }
      this.marks = new Marks(theme, scene, scene.points_shape[0], grow);
      this.small = new Marks(theme, scene, scene.points_shape[0], 0.72 * grow);
    }
    return { theme, marks: this.marks, small: this.small };
  }

  /** @param {"density" | "data" | "samples" | "truth"} name */
  shows(name) {
    return isPressed(this.chips[name]) && !this.chips[name].hidden;
  }

  /**
   * Draw a frame, dt ms after the one before: how many ms it took and whether the axes still move; null where there
   * is no room.
   * @param {Frame} frame
   */
  draw(frame, dt = 16) {
    const began = performance.now();
    const style = this.style();
    if (!Object.values(this.plane).every((plane) => plane.fit())) return null;
    const hover = this.find(frame);
    this.drawData(frame, hover, style);
    this.drawLatent(frame, hover, dt, style);
    const moving = this.drawLoss(frame, dt, style.theme);
    this.showTip(frame, hover, style.theme);
    return { moving, ms: performance.now() - began };
  }

  /** @param {Frame} frame @param {number} hover @param {Style} style */
  drawData(frame, hover, { theme, marks, small }) {
    const plane = this.plane.data;
    const { scene } = this;
    const density = this.shows("density") ? frame.density : null;
    plane.ctx.globalAlpha = frame.ghost ? GHOST : 1;
    if (density && frame.side && scene.n_features === 1) this.area(density, frame.side, theme);
    else if (density && frame.side) {
      const picture = this.heat.paint(density, frame.side, theme.lut);
      plane.ctx.imageSmoothingQuality = "high";
      plane.ctx.drawImage(picture, plane.x0, plane.y0, plane.pw, plane.ph);
    }
    plane.clip((ctx) => {
      if (frame.samples && this.shows("samples")) plane.dots(frame.samples, () => marks.open);
      ctx.globalAlpha = 1;
      if (this.shows("data")) ctx.drawImage(this.still(density ? small : marks), 0, 0, plane.width, plane.height);
      if (hover >= 0) plane.ring(plane.x(scene.points[2 * hover]), plane.y(scene.points[2 * hover + 1]), 7, theme.text);
    });
    plane.ctx.globalAlpha = 1;
    if (this.shows("truth")) this.drawTruth(theme);
    plane.axes(theme, scene.axes[0], scene.axes[1]);
    if (frame.ghost) {
      const [x, y] = [plane.x0 + 10, plane.y0 + plane.ph - 12];
      plane.label(`before: ${frame.ghost}`, x, y, theme.text, { size: 12, halo: theme.page });
    }
    if (density && scene.n_features > 1 && plane.ph > 120 * plane.type) this.scale(frame.densityMax, theme);
  }

  /** The exact density: contours, or a curve over one feature. @param {Theme} theme */
  drawTruth(theme) {
    const plane = this.plane.data;
    const { truth, truth_shape, truth_levels, window } = this.scene;
    if (!truth) return;
    this.truth ??=
      truth_shape && truth_shape.length > 1
        ? (truth_levels ?? []).map((level) => contour(truth, truth_shape[0], window, level))
        : [curveOf(truth, window)];
    plane.clip((ctx) => {
      ctx.strokeStyle = theme.truth;
      ctx.lineWidth = 1.75;
      ctx.setLineDash([6, 3]);
      ctx.beginPath();
      for (const line of this.truth ?? []) {
        for (let i = 0; i < line.length; i += 4) {
          ctx.moveTo(plane.x(line[i]), plane.y(line[i + 1]));
          ctx.lineTo(plane.x(line[i + 2]), plane.y(line[i + 3]));
        }
      }
      ctx.setLineDash([]);
      ctx.stroke();
    });
  }

  /**
   * A density over one feature: the picture is filled up to the curve, so the curve is where each column's filling
   * ends.
   * @param {ArrayLike<number>} density @param {number} side @param {Theme} theme
   */
  area(density, side, theme) {
    const plane = this.plane.data;
    const [x0, x1, y0, y1] = this.scene.window;
    /** @type {Point[]} */
    const curve = [];
    for (let c = 0; c < side; c++) {
      let filled = 0;
      for (let r = 0; r < side; r++) filled += density[r * side + c] / 160;
      curve.push([plane.x(x0 + ((c + 0.5) * (x1 - x0)) / side), plane.y(y0 + (filled * (y1 - y0)) / side)]);
    }
    const { ctx } = plane;
    const floor = plane.y(y0);
    const before = ctx.globalAlpha;
    ctx.globalAlpha = 0.2 * before;
    ctx.fillStyle = theme.model;
    ctx.beginPath();
    ctx.moveTo(curve[0][0], floor);
    for (const [x, y] of curve) ctx.lineTo(x, y);
    ctx.lineTo(curve[side - 1][0], floor);
    ctx.fill();
    ctx.globalAlpha = before;
    plane.line(theme.model, curve, { width: 2, alpha: before });
  }

  /** The data points, which do not move: drawn once and stamped as one picture. @param {Marks} marks */
  still(marks) {
    const plane = this.plane.data;
    const key = `${this.styled} ${plane.width} ${plane.height} ${plane.density}`;
    if (this.layer?.key === key && this.layer.marks === marks) return this.layer.picture;
    const picture = new OffscreenCanvas(plane.canvas.width, plane.canvas.height);
    const screen = plane.ctx;
    plane.ctx = /** @type {OffscreenCanvasRenderingContext2D} */ (picture.getContext("2d"));
    plane.ctx.setTransform(plane.density, 0, 0, plane.density, 0, 0);
    plane.clip(() => plane.dots(this.scene.points, marks.of));
    plane.ctx = screen;
    this.layer = { key, marks, picture };
    return picture;
  }

  /** The colours' meaning, in a corner of the picture. @param {number | undefined} top @param {Theme} theme */
  scale(top, theme) {
    const plane = this.plane.data;
    const { ctx } = plane;
    const [width, height] = [74 * plane.type, 7];
    const x = plane.x0 + plane.pw - width - 12;
    const y = plane.y0 + 22 * plane.type;
    for (let i = 0; i < width; i++) {
      ctx.fillStyle = pixelColor(theme.lut[Math.round(255 * (i / (width - 1)) ** HEAT_POWER)]);
      ctx.fillRect(x + i, y, 1.5, height);
    }
    ctx.strokeStyle = theme.frame;
    ctx.strokeRect(x - 0.5, y - 0.5, width + 1.5, height + 1);
    const highest = top !== undefined && Number.isFinite(top) ? number(top, 2) : "max";
    plane.label("density 0", x, y - 4, theme.text, { align: "left", size: 11, halo: theme.halo });
    plane.label(highest, x + width, y - 4, theme.text, { align: "right", size: 11, halo: theme.halo });
  }

  /** @param {Frame} frame @param {number} hover @param {number} dt @param {Style} style */
  drawLatent(frame, hover, dt, { theme, marks }) {
    const plane = this.plane.latent;
    const { latent } = frame;
    const { latent_is_gaussian: gaussian, n_features } = this.scene;
    const none = !latent && (!this.scene.has_latent || Boolean(frame.density || frame.samples));
    const rings = gaussian && !none ? [1, 2, 3] : [];
    plane.view = plane.widened(!gaussian && latent ? this.around(latent, dt) : [-4, 4, -4, 4]);
    plane.axes(theme, "latent 1", n_features > 1 ? "latent 2" : "no meaning: keeps points apart");
    plane.clip((ctx) => {
      for (const r of rings) {
        if (n_features > 1) plane.circlePath(r);
        else {
          ctx.beginPath();
          for (const x of [-r, r]) {
            ctx.moveTo(plane.x(x), plane.y0);
            ctx.lineTo(plane.x(x), plane.y0 + plane.ph);
          }
        }
        ctx.strokeStyle = theme.truth;
        ctx.globalAlpha = 1 - 0.2 * r;
        ctx.lineWidth = 1.25;
        ctx.setLineDash(r === 1 ? [] : [5, 4]);
        ctx.stroke();
        ctx.setLineDash([]);
        ctx.globalAlpha = 1;
      }
      ctx.globalAlpha = frame.ghost ? GHOST : 1;
      if (latent) plane.dots(latent, marks.of);
      ctx.globalAlpha = 1;
      const isLarge = plane.pw > 220 * plane.type;
      for (const r of n_features > 1 ? rings : []) {
        const [x, y] = [plane.x(r * Math.SQRT1_2) + 3, plane.y(r * Math.SQRT1_2) - 3];
        plane.label(isLarge ? `radius ${r}` : String(r), x, y, theme.truth, { size: 11, halo: theme.page });
      }
      if (latent && hover >= 0) plane.ring(plane.x(latent[2 * hover]), plane.y(latent[2 * hover + 1]), 7, theme.text);
      const why = none ? ["this model has", "no latent space"] : ["the points arrive", "with the first step"];
      const middle = { align: /** @type {const} */ ("center"), size: 13, halo: theme.page };
      const lines = latent ? [] : isLarge ? [why.join(" ")] : why;
      for (const [i, line] of lines.entries())
        plane.label(line, plane.x(0), plane.y(-1.5) + 17 * i * plane.type, theme.muted, middle);
    });
  }

  /**
   * The window around the points of a latent space that is not held to a Gaussian.
   * @param {ArrayLike<number>} xy @param {number} dt
   */
  around(xy, dt) {
    let [x0, x1, y0, y1] = [Infinity, -Infinity, Infinity, -Infinity];
    for (let i = 0; i < xy.length; i += 2) {
      if (xy[i] < x0) x0 = xy[i];
      if (xy[i] > x1) x1 = xy[i];
      if (xy[i + 1] < y0) y0 = xy[i + 1];
      if (xy[i + 1] > y1) y1 = xy[i + 1];
    }
    const half = 0.58 * Math.max(x1 - x0, y1 - y0, 1e-6);
    const [x, y] = [(x0 + x1) / 2, (y0 + y1) / 2];
    const goal = Float32Array.of(x - half, x + half, y - half, y + half);
    this.latentView.aim(goal);
    this.latentView.step(dt, half / 200);
    return this.latentView.now ?? goal;
  }

  /** @param {Frame} frame @param {number} dt @param {Theme} theme */
  drawLoss(frame, dt, theme) {
    const plane = this.plane.loss;
    const { scene } = this;
    const { step, cursor } = frame;
    const loss = {
      step: Array.from(frame.loss.step),
      train: Array.from(frame.loss.train),
      val: Array.from(frame.loss.val),
    };
    const n = loss.step.length;
    const seen = step === undefined ? n : lastUpTo(loss.step, step) + 1;
    const film = cursor !== undefined;
    const floor = scene.keeps_density ? scene.entropy : null; // the loss of a broken flow has none
    const nSteps = Math.max(scene.n_steps, frame.beside?.nSteps ?? 0);
    const shown = { train: loss.train.slice(0, seen), val: loss.val.slice(0, seen) };
    const [lo, hi] = commonRange(frame.beside ? [shown, frame.beside] : [shown], floor);
    const pad = 0.08 * (hi - lo);
    const goal = Float32Array.of(lo - (floor === null ? pad : 4 * pad), hi + pad); // room for the floor's name
    this.range.aim(goal);
    const moving = this.range.step(dt, pad / 100);
    const [low, high] = this.range.now ?? goal;
    plane.view = [0, nSteps, low, high];
    plane.axes(theme, "step", "", { nx: Math.min(8, nSteps), ny: 4, gridY: true, frame: false });
    /** @param {number[]} y */
    const curve = (y) =>
      loss.step.map((s, i) => /** @type {Point} */ ([plane.x(s), plane.y(y[i])])).filter(([, v]) => Number.isFinite(v));
    plane.clip(() => {
      if (floor !== null) plane.level(theme.truth, plane.y(floor), { width: 1.75, dash: [7, 4] });
      plane.line(theme.model, curve(loss.train), { width: 1, alpha: film ? 0.4 : 0.75 });
      plane.line(theme.model, curve(loss.val), { width: 2.5, alpha: film ? 0.4 : 1 });
      if (cursor === undefined) return;
      const x = plane.x(cursor);
      const past = curve(loss.val).filter(([v]) => v <= x);
      plane.line(theme.model, past, { width: 2.5 });
      plane.upright(theme.text, x, { width: 1.5 });
    });
    if (floor !== null) {
      const [text, y] = [`entropy ${thin(floor, 3)} nats`, plane.y(floor) + 5];
      plane.label(text, plane.x0 + 8, y, theme.truth, { weight: 600, base: "top", halo: theme.page });
    }
    const head = curve(loss.val).at(seen - 1 - n);
    if (head) plane.ring(...head, 2, theme.model, 3);
    if (seen) this.nameCurves(loss.train[seen - 1], loss.val[seen - 1], theme);
    return moving;
  }

  /**
   * Names at the ends of the curves instead of a legend, kept apart where the curves meet.
   * @param {number} train @param {number} val @param {Theme} theme
   */
  nameCurves(train, val, theme) {
    const plane = this.plane.loss;
    const x = plane.x0 + plane.pw + 9;
    const [top, bottom] = [plane.y0, plane.y0 + plane.ph];
    const half = 6 * plane.type;
    let yVal = clamp(plane.y(val), top + half, bottom - half);
    let yTrain = clamp(plane.y(train), top + half, bottom - half);
    const [hasVal, hasTrain] = [Number.isFinite(val), Number.isFinite(train)];
    if (hasVal && hasTrain && Math.abs(yVal - yTrain) < 15 * plane.type) {
      const apart = 7.5 * plane.type;
      const middle = clamp((yVal + yTrain) / 2, top + apart + half, bottom - apart - half);
      const up = yVal <= yTrain ? -apart : apart;
      [yVal, yTrain] = [middle + up, middle - up];
    }
    if (hasTrain) plane.label(`train ${thin(train, 3)}`, x, yTrain, theme.model, { base: "middle" });
    if (hasVal) plane.label(`validation ${thin(val, 3)}`, x, yVal, theme.model, { base: "middle", weight: 650 });
  }

  /** Index of the data point under the pointer, -1 if there is none. @param {Frame} frame */
  find(frame) {
    const at = this.pointer;
    if (!at || at.name === "loss") return -1;
    const xy = at.name === "latent" ? frame.latent : this.shows("data") ? this.scene.points : null;
    return xy ? this.plane[at.name].nearest(xy, at.x, at.y) : -1;
  }

  /** @param {Frame} frame @param {number} hover @param {Theme} theme */
  showTip(frame, hover, theme) {
    const at = this.pointer;
    const text = at ? this.words(frame, at, hover, theme) : "";
    this.tip.hidden = !text;
    if (!at || !text) return;
    say(this.tip, text);
    const box = this.root.getBoundingClientRect();
    const canvas = this.canvas[at.name].getBoundingClientRect();
    placeTip(this.tip, canvas.left - box.left + at.x, canvas.top - box.top + at.y + 12, box.width - 220);
  }

  /** @param {Frame} frame @param {Pointer} at @param {number} hover @param {Theme} theme */
  words(frame, at, hover, theme) {
    const plane = this.plane[at.name];
    if (!plane.has(at.x, at.y)) return "";
    const [x, y] = plane.at(at.x, at.y);
    if (at.name === "loss") {
      const { step, train, val } = frame.loss;
      const best = nearestIndex(step, x);
      if (best < 0) return "";
      plane.upright(theme.muted, plane.x(step[best]), { dash: [2, 3] });
      const losses = [`training ${thin(train[best], 3)}`];
      if (Number.isFinite(val[best])) losses.unshift(`validation ${thin(val[best], 3)}`);
      return [`step ${thin(step[best])}`, ...losses.map((text) => `${text} ${this.scene.unit}`.trim())].join("\n");
    }
    const { points, axes, window, n_features } = this.scene;
    /** @param {number} a @param {number} b */
    const pair = (a, b) => `${thin(a, 2)}, ${thin(b, 2)}`;
    if (hover >= 0) {
      const data = `data ${pair(points[2 * hover], points[2 * hover + 1])}`;
      if (!frame.latent) return data;
      const [z1, z2] = [frame.latent[2 * hover], frame.latent[2 * hover + 1]];
      return `${data}\nlatent ${pair(z1, z2)}\nradius ${thin(Math.hypot(z1, z2), 2)}`;
    }
    if (at.name === "latent") return `latent ${pair(x, y)}\nradius ${thin(Math.hypot(x, y), 2)}`;
    const place = `${axes[0]} ${thin(x, 2)}\n${axes[1]} ${thin(y, 2)}`;
    const { density, side, densityMax } = frame;
    if (!density || !side || !this.shows("density") || n_features < 2) return place;
    if (densityMax === undefined || !Number.isFinite(densityMax)) return place;
    /** @param {number} v @param {number} lo @param {number} hi */
    const cell = (v, lo, hi) => clamp(Math.floor(((v - lo) / (hi - lo)) * side), 0, side - 1);
    const value = density[cell(y, window[2], window[3]) * side + cell(x, window[0], window[1])];
    return `${place}\ndensity ${number((value / 255) * densityMax, 2)}`;
  }

  /** The findings in words: beside the pictures, and as their alternative texts. @param {Frame} frame */
  tell(frame) {
    const words = stageWords(this.scene, frame);
    say(this.note.loss, words.loss);
    say(this.note.latent, words.latent);
    say(this.anomalies, words.anomalies);
    for (const name of /** @type {PanelName[]} */ (["data", "latent", "loss"])) {
      this.canvas[name].ariaLabel = words.alt[name];
    }
  }
}

/**
 * The line along which a density has a value: segments x, y, x, y in data coordinates, by marching squares.
 * @param {ArrayLike<number>} values (n, n), row 0 lowest, at the middles of equal cells of the window
 * @param {number} n @param {[number, number, number, number]} window @param {number} level
 */
export function contour(values, n, [x0, x1, y0, y1], level) {
  /** @type {number[]} */
  const line = [];
  for (let r = 0; r + 1 < n; r++) {
    for (let c = 0; c + 1 < n; c++) {
      const at = [r * n + c, r * n + c + 1, (r + 1) * n + c + 1, (r + 1) * n + c].map((i) => values[i] - level);
      /** @type {Point[]} where the line crosses the edges, walking around the cell */
      const crossings = [];
      for (let k = 0; k < 4; k++) {
        const [a, b] = [at[k], at[(k + 1) % 4]];
        if (a >= 0 === b >= 0) continue;
        const share = a / (a - b);
        const [u, v] = [
          [share, 0],
          [1, share],
          [1 - share, 1],
          [0, 1 - share],
        ][k];
        crossings.push([x0 + ((c + 0.5 + u) * (x1 - x0)) / n, y0 + ((r + 0.5 + v) * (y1 - y0)) / n]);
      }
      for (let k = 0; k + 1 < crossings.length; k += 2) line.push(...crossings[k], ...crossings[k + 1]);
    }
  }
  return Float64Array.from(line);
}

/**
 * A density over one feature as segments x, y, x, y.
 * @param {ArrayLike<number>} values (n,) at the middles of equal cells @param {[number, number, number, number]} window
 */
export function curveOf(values, [x0, x1]) {
  const n = values.length;
  const line = [];
  for (let i = 0; i + 1 < n; i++) {
    const [a, b] = [i, i + 1].map((k) => x0 + ((k + 0.5) * (x1 - x0)) / n);
    line.push(a, values[i], b, values[i + 1]);
  }
  return Float64Array.from(line);
}

/**
 * Lowest and highest loss to show: the strip zooms in while the loss falls, so that late changes stay visible.
 * @param {number[]} train @param {number[]} val @param {number | null} floor
 * @returns {[number, number]}
 */
export function lossRange(train, val, floor) {
  let [lo, hi, newest] = [floor ?? Infinity, -Infinity, NaN];
  for (const v of train.flatMap((value, i) => [value, val[i]])) {
    if (Number.isFinite(v)) [lo, hi, newest] = [Math.min(lo, v), Math.max(hi, v), v];
  }
  if (hi === -Infinity) return floor === null ? [0, 1] : [floor, floor + 1];
  return [lo, Math.max(lo + 1e-3, Math.min(hi, lo + Math.max(8 * (newest - lo), 0.25 * (hi - lo))))];
}

/**
 * The range of losses that have the same axis; a curve without values asks for none.
 * @param {{ train: ArrayLike<number>, val: ArrayLike<number> }[]} curves @param {number | null} floor
 * @returns {[number, number]}
 */
export function commonRange(curves, floor) {
  const ranges = curves
    .filter(({ train }) => train.length)
    .map(({ train, val }) => lossRange(Array.from(train), Array.from(val), floor));
  if (!ranges.length) return lossRange([], [], floor);
  return [Math.min(...ranges.map(([lo]) => lo)), Math.max(...ranges.map(([, hi]) => hi))];
}

/**
 * Index of the value nearest to x, -1 if there is none.
 * @param {ArrayLike<number>} values @param {number} x
 */
export function nearestIndex(values, x) {
  let best = -1;
  for (let i = 0; i < values.length; i++) {
    if (best < 0 || Math.abs(values[i] - x) < Math.abs(values[best] - x)) best = i;
  }
  return best;
}
