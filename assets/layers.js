// @ts-check
// The path through the layers: points and a lattice travel from data space to latent space and back.

import {
  announce,
  clamp,
  extent,
  isPressed,
  make,
  mix,
  mountInto,
  provide,
  rgb,
  say,
  stateOf,
  themeOf,
  thin,
  toggleButton,
  unpack,
} from "./common.js";
import { fullScreen, Marks, markSprite, Plane } from "./drawing.js";
import { Player } from "./player.js";
import { layersInWords } from "./words.js";

const VOLUME_END = 2.5; // nats of log volume change at the ends of the colour scale, or more where columns are many
const TELL_MS = 600; // the page hears of a layer at most that often while the layers play
const VEIL = 0.6; // opacity of the cells, so that the points stay in front
const TINTS = 65; // 0: most contracted (model colour), 32: unchanged, 64: most expanded (anomaly colour)

/** @typedef {import("./common.js").Theme} Theme */
/** @typedef {import("./drawing.js").Point} Point */
/** @typedef {[number, number, number, number]} Window x0, x1, y0, y1 */

/**
 * What flowlab/dashboard/canvas/layer_player.py sends; `count` is the number of layers and one.
 * @typedef {object} LayersSceneFields
 * @property {string[]} names (count,) of the layers, the first one empty
 * @property {[[string, string], [string, string]]} axes of data space and of latent space
 * @property {string} color_kind
 * @property {string} hint what a click on a point does
 * @property {Float32Array} positions (count, m, 2)
 * @property {[number, number, number]} positions_shape
 * @property {Uint32Array} rows (m,) row numbers
 * @property {Float32Array} [volume] (count, m) sum of the log-determinants so far, in nats
 * @property {Float32Array} [grid] (count, lines, k, 2) upright lines, then as many level ones
 * @property {number[]} [grid_shape]
 * @property {Float32Array} [grid_volume] (count, lines, k) as `volume`
 * @property {Uint8Array} [color] (m,)
 *
 * @typedef {import("./common.js").SceneBase & LayersSceneFields} LayersScene
 */

/** @typedef {{ layer: number | null, row: number | null }} Update `row` is a row's number */

/** @param {import("./common.js").Component} component @param {LayersScene} scene */
function update({ data, parentElement, setStateValue }, scene) {
  /** @type {Update} */
  const now = unpack(data);
  const layers = stateOf(parentElement, () => new Layers(parentElement, scene, now));
  layers.report = setStateValue;
  layers.theme = null; // the theme may have changed
  if (layers.scene !== scene) layers.load(scene, now);
  else if (now.row !== layers.rowFromPage) layers.row = indexOf(scene, now.row); // selected elsewhere
  layers.rowFromPage = now.row;
  layers.wake();
}

class Layers {
  /** @type {Theme | null} */
  theme = null;
  /** @type {string[]} colours of log volume changes */
  tintColors = [];
  /** @type {import("./drawing.js").Sprite[]} points in these colours */
  tints = [];
  /** @type {Marks | null} */
  marks = null;
  /** @type {number | null} index of the row that is followed */
  row = null;
  /** @type {number | null} number of the row that the page chose last */
  rowFromPage = null;
  /** @type {number | null} layer last reported to the server */
  reportedLayer = null;
  reportedAt = 0; // time stamp in ms
  /** @type {Point | null} */
  pointer = null;
  request = 0;
  m = 0; // points
  last = 0; // number of the last layer
  // what lies between the two layers on either side of the present position
  points = new Float32Array(0);
  /** @type {Float32Array | null} */
  lattice = null;
  /** @type {Float32Array | null} */
  latticeNats = null;
  /** @type {Float32Array | null} */
  nats = null;
  end = VOLUME_END; // nats at the ends of the colour scale
  /** @type {Window[]} of each layer */
  windows = [];
  /** @type {(name: string, value: unknown) => void} */
  report = () => {};

  /** @param {HTMLElement | ShadowRoot} parent @param {LayersScene} scene @param {Update} now */
  constructor(parent, scene, now) {
    this.scene = scene;
    this.chips = {
      points: toggleButton("Points", true),
      grid: toggleButton("Grid", true),
      volume: toggleButton("Volume change", true),
    };
    this.canvas = make("canvas", { role: "img", tabindex: "0" });
    this.title = make("strong");
    this.note = make("div", { cls: "note below" });
    this.player = new Player({
      label: "Layer",
      seconds: 1,
      bounce: true,
      hold: 0.35,
      moved: (position) => {
        this.follow(position);
        this.wake();
      },
      released: (layer) => this.tellPage(layer),
      words: (position) => positionInWords(position, this.last),
    });
    const group = { cls: "chips", role: "group", "aria-label": "Show" };
    const head = make("div", { cls: "head" }, this.title, make("span", group, ...Object.values(this.chips)));
    const stage = make("div", { cls: "stage" }, head, this.canvas);
    this.root = make("div", { cls: "fl one" }, stage, this.player.bar, this.note);
    mountInto(parent, this.root, scene.css);
    this.plane = new Plane(this.canvas, [6, 2, 38, 42]);
    for (const button of Object.values(this.chips)) {
      button.onclick = () => {
        button.setAttribute("aria-pressed", String(!isPressed(button)));
        this.wake();
      };
    }
    this.canvas.onpointermove = (e) => {
      this.pointer = [e.offsetX, e.offsetY];
      this.wake();
    };
    this.canvas.onpointerleave = () => {
      this.pointer = null;
      this.wake();
    };
    this.canvas.onclick = (e) => {
      const near = this.plane.nearest(this.points, e.offsetX, e.offsetY, 14);
      if (near < 0) fullScreen(this.canvas);
      else this.choose(near);
    };
    this.canvas.onkeydown = (e) => {
      const by = e.key === "ArrowLeft" ? -1 : e.key === "ArrowRight" ? 1 : 0;
      if (!by) return;
      this.choose(((this.row ?? -by) + by + this.m) % this.m);
      e.preventDefault();
    };
    const sizes = new ResizeObserver(() => this.wake());
    sizes.observe(this.root);
    sizes.observe(this.canvas);
    this.load(scene, now);
  }

  /** @param {LayersScene} scene @param {Update} now */
  load(scene, { layer, row }) {
    const [count, m] = scene.positions_shape;
    this.scene = scene;
    this.m = m;
    this.last = count - 1;
    this.row = indexOf(scene, row);
    this.reportedLayer = layer;
    this.theme = null;
    this.points = new Float32Array(2 * m);
    this.lattice = scene.grid ? new Float32Array(scene.grid.length / count) : null;
    this.latticeNats = scene.grid_volume ? new Float32Array(scene.grid_volume.length / count) : null;
    this.nats = scene.volume ? new Float32Array(m) : null;
    this.chips.grid.hidden = !scene.grid;
    this.chips.volume.hidden = !scene.grid_volume && !scene.volume;
    this.end = scene.grid_volume || !scene.volume ? VOLUME_END : volumeEnd(scene.volume);
    this.windows = windows(scene.positions, count, m);
    this.player.seconds = 0.9 * this.last;
    this.player.setLast(this.last, layer ?? 0);
  }

  wake() {
    this.request ||= requestAnimationFrame(() => {
      this.request = 0;
      this.draw();
    });
  }

  /** @param {number} layer */
  tellPage(layer) {
    if (layer === this.reportedLayer) return;
    this.reportedLayer = layer;
    this.reportedAt = performance.now();
    this.report("layer", layer);
  }

  /** While it plays, what stands beside the picture follows from layer to layer. @param {number} position */
  follow(position) {
    const rests = Math.abs(position - Math.round(position)) < 1e-6;
    if (this.player?.playing && rests && performance.now() - this.reportedAt > TELL_MS) this.tellPage(position);
  }

  /** @param {number} row */
  choose(row) {
    if (row < 0 || row === this.row) return; // one row is always followed: that of the receipt
    this.row = row;
    this.report("row", this.scene.rows[row]);
    this.wake();
  }

  /** @param {"points" | "grid" | "volume"} name */
  shows(name) {
    return isPressed(this.chips[name]) && !this.chips[name].hidden;
  }

  style() {
    if (!this.theme || !this.marks) {
      const theme = themeOf(this.root, this.scene.colors);
      // unchanged: faint where cells are filled, in the data's colour where points are tinted
      const text = rgb(theme.text);
      const calm = this.latticeNats ? rgb(theme.page).map((v, c) => v * 0.8 + text[c] * 0.2) : rgb(theme.data);
      this.tintColors = tintColors(rgb(theme.model), calm, rgb(theme.anomaly));
      this.tints = this.tintColors.map((color) => markSprite(color, theme.halo, 1.8));
      this.marks = new Marks(theme, this.scene, this.m);
      this.theme = theme;
    }
    return { theme: this.theme, marks: this.marks };
  }

  draw() {
    const began = performance.now();
    const { scene, plane, points, row } = this;
    const { position, playing } = this.player;
    const { theme, marks } = this.style();
    if (!plane.fit()) return;
    this.interpolate(position);
    plane.clip((ctx) => {
      if (this.lattice) this.drawLattice(this.lattice, theme);
      this.drawCircles(clamp(position - this.last + 1, 0, 1), theme);
      const nats = this.shows("volume") && !this.latticeNats ? this.nats : null;
      if (this.shows("points")) plane.dots(points, nats ? (i) => this.tints[tint(nats[i], this.end)] : marks.of);
      if (row !== null && row < this.m) this.drawTrail(row, position, theme);
      const near = this.pointer ? plane.nearest(points, ...this.pointer) : -1;
      if (near >= 0) plane.ring(plane.x(points[2 * near]), plane.y(points[2 * near + 1]), 7, theme.text);
      this.canvas.style.cursor = near >= 0 ? "pointer" : "default";
      ctx.globalAlpha = 1;
    });
    const [from, to] = scene.axes;
    /** @param {number} k */
    const axis = (k) => (position < 0.5 ? from[k] : position > this.last - 0.5 ? to[k] : `coordinate ${k + 1}`);
    plane.axes(theme, axis(0), axis(1));
    if (this.shows("volume")) this.drawScale(theme);
    this.tell(position);
    announce(this.root, { component: "layers", position, playing, row, ms: performance.now() - began });
  }

  /** Points, lattice, volume changes and window at a position between two layers. @param {number} position */
  interpolate(position) {
    const { scene } = this;
    const i = Math.floor(position);
    const j = Math.min(i + 1, this.last);
    /** @param {Float32Array | undefined} all @param {Float32Array | null} out */
    const between = (all, out) => {
      if (!all || !out) return;
      const n = out.length;
      mix(all.subarray(i * n, (i + 1) * n), all.subarray(j * n, (j + 1) * n), position - i, out);
    };
    between(scene.positions, this.points);
    between(scene.grid, this.lattice);
    between(scene.grid_volume, this.latticeNats);
    between(scene.volume, this.nats);
    const [from, to] = [this.windows[i], this.windows[j]];
    this.plane.view = this.plane.widened(from.map((v, k) => v + (to[k] - v) * (position - i)));
  }

  /** @param {number} position */
  tell(position) {
    const { row, m, points, nats, scene } = this;
    const followed = row === null || row >= m ? null : row;
    const { title, note, alt } = layersInWords({
      ...{ position, m, names: scene.names, hint: scene.hint, grid: Boolean(this.lattice) },
      row:
        followed === null
          ? null
          : {
              number: scene.rows[followed],
              x: points[2 * followed],
              y: points[2 * followed + 1],
              nats: nats ? nats[followed] : null,
            },
      volume: nats && Math.round(position) > 0 ? extent(nats) : null,
    });
    say(this.title, title);
    say(this.note, note);
    this.canvas.ariaLabel = alt;
  }

  /**
   * Upright lines, then as many level ones; the cells between upright lines are filled by the log-determinant so far.
   * @param {Float32Array} lattice @param {Theme} theme
   */
  drawLattice(lattice, theme) {
    const { plane, latticeNats: nats } = this;
    const { ctx } = plane;
    const [, lines, k] = /** @type {number[]} */ (this.scene.grid_shape);
    const pixelX = new Float32Array(lines * k);
    const pixelY = new Float32Array(lines * k);
    for (let v = 0; v < lines * k; v++) {
      pixelX[v] = plane.x(lattice[2 * v]);
      pixelY[v] = plane.y(lattice[2 * v + 1]);
    }
    if (nats && this.shows("volume")) this.fillCells(pixelX, pixelY, nats, lines / 2, k);
    if (!this.shows("grid")) return;
    ctx.beginPath();
    for (let v = 0; v < lines * k; v++) {
      if (v % k) ctx.lineTo(pixelX[v], pixelY[v]);
      else ctx.moveTo(pixelX[v], pixelY[v]);
    }
    ctx.strokeStyle = theme.faint;
    ctx.lineWidth = 0.8;
    ctx.stroke();
  }

  /**
   * @param {Float32Array} pixelX @param {Float32Array} pixelY @param {Float32Array} nats at the lattice's vertices
   * @param {number} uprights @param {number} k vertices of a line
   */
  fillCells(pixelX, pixelY, nats, uprights, k) {
    const { plane } = this;
    const step = Math.max(1, Math.round((k - 1) / (uprights - 1)));
    /** @type {(Path2D | null)[]} */
    const paths = Array(TINTS).fill(null);
    for (let r = 0; r + 1 < uprights; r++) {
      for (let c = 0; c + 1 < k; c += step) {
        const a = r * k + c;
        const b = r * k + Math.min(c + step, k - 1);
        if (![a, b, b + k, a + k].some((v) => plane.has(pixelX[v], pixelY[v]))) continue;
        const i = tint((nats[a] + nats[b] + nats[b + k] + nats[a + k]) / 4);
        paths[i] ??= new Path2D();
        // along the lines, so that neighbouring cells meet however far they bend
        paths[i].moveTo(pixelX[a], pixelY[a]);
        for (let v = a + 1; v <= b; v++) paths[i].lineTo(pixelX[v], pixelY[v]);
        for (let v = b + k; v >= a + k; v--) paths[i].lineTo(pixelX[v], pixelY[v]);
      }
    }
    plane.ctx.globalAlpha = VEIL;
    for (const [i, path] of paths.entries()) {
      if (!path) continue;
      plane.ctx.fillStyle = this.tintColors[i];
      plane.ctx.fill(path);
    }
    plane.ctx.globalAlpha = 1;
  }

  /** The circles of a standard Gaussian. @param {number} alpha @param {Theme} theme */
  drawCircles(alpha, theme) {
    if (alpha <= 0) return;
    const { plane } = this;
    const { ctx } = plane;
    ctx.save();
    ctx.strokeStyle = theme.truth;
    ctx.lineWidth = 1.5;
    ctx.setLineDash([5, 4]);
    for (const radius of [1, 2, 3]) {
      ctx.globalAlpha = alpha * (1 - 0.2 * radius);
      plane.circlePath(radius);
      ctx.stroke();
    }
    ctx.restore();
  }

  /**
   * The path of the selected row through all layers; the part up to this position is drawn stronger.
   * @param {number} row @param {number} position @param {Theme} theme
   */
  drawTrail(row, position, theme) {
    const { plane, points, m } = this;
    const { positions } = this.scene;
    /** @type {Point} */
    const here = [plane.x(points[2 * row]), plane.y(points[2 * row + 1])];
    /** @type {Point[]} */
    const path = Array.from({ length: this.last + 1 }, (_, layer) => {
      const at = 2 * (layer * m + row);
      return [plane.x(positions[at]), plane.y(positions[at + 1])];
    });
    plane.line(theme.text, path, { width: 1, dash: [2, 4], alpha: 0.5 });
    plane.line(theme.text, [...path.slice(0, Math.floor(position) + 1), here], { width: 1.75 });
    for (const [x, y] of path) plane.ring(x, y, 2, theme.text, 1);
    plane.ring(...here, 7, theme.text, 2.5);
  }

  /** @param {Theme} theme */
  drawScale(theme) {
    const { plane } = this;
    const { ctx } = plane;
    const wide = 2 * plane.type;
    const width = wide * TINTS;
    const x = plane.x0 + plane.pw - width - 12;
    const y = plane.y0 + 24 * plane.type;
    ctx.fillStyle = theme.page;
    ctx.fillRect(x, y, width, 7);
    ctx.globalAlpha = this.latticeNats ? VEIL : 1;
    for (const [i, color] of this.tintColors.entries()) {
      ctx.fillStyle = color;
      ctx.fillRect(x + i * wide, y, wide, 7);
    }
    ctx.globalAlpha = 1;
    const end = thin(this.end, this.end % 1 && 1);
    /** @param {string} text @param {number} px @param {number} py @param {CanvasTextAlign} align */
    const label = (text, px, py, align) => plane.label(text, px, py, theme.text, { align, size: 11, halo: theme.page });
    label("log volume change (nats)", x + width, y - 4, "right");
    label(`\u2212${end}`, x, y + 6 + 12 * plane.type, "left");
    label("0", x + width / 2, y + 6 + 12 * plane.type, "center");
    label(`+${end}`, x + width, y + 6 + 12 * plane.type, "right");
  }
}

/**
 * Where a row with this number stands among the points, null where it does not.
 * @param {LayersScene} scene @param {number | null} row
 */
function indexOf(scene, row) {
  const i = row === null ? -1 : scene.rows.indexOf(row);
  return i < 0 ? null : i;
}

/**
 * A round number that nearly all log volume changes stay below.
 * @param {ArrayLike<number>} volume in nats
 */
export function volumeEnd(volume) {
  const sizes = Float32Array.from(volume, Math.abs).filter(Number.isFinite).sort();
  const most = sizes[Math.floor(0.95 * (sizes.length - 1))];
  const power = 10 ** Math.floor(Math.log10(most));
  const round = [1, 2, 2.5, 5, 10].find((v) => v * power >= most) ?? NaN;
  return Math.max(VOLUME_END, power * round) || VOLUME_END;
}

/**
 * A square window for each layer, and one for all where they are alike, so that the view stands still.
 * @param {ArrayLike<number>} positions (count, m, 2) @param {number} count @param {number} m
 * @returns {Window[]}
 */
export function windows(positions, count, m) {
  /** @param {number} layer @param {number} c */
  const reach = (layer, c) => {
    const all = Float32Array.from({ length: m }, (_, i) => positions[2 * (layer * m + i) + c]);
    const sorted = all.filter(Number.isFinite).sort();
    return [sorted[Math.floor(0.005 * m)], sorted[Math.ceil(0.995 * m) - 1]];
  };
  /** @param {number} x @param {number} y @param {number} half @returns {Window} */
  const square = (x, y, half) => [x - half, x + half, y - half, y + half];
  const views = Array.from({ length: count }, (_, layer) => {
    const [x0, x1] = reach(layer, 0);
    const [y0, y1] = reach(layer, 1);
    return square((x0 + x1) / 2, (y0 + y1) / 2, Math.max(x1 - x0, y1 - y0, 1e-6) * 0.66);
  });
  const [x0, x1] = [Math.min(...views.map((v) => v[0])), Math.max(...views.map((v) => v[1]))];
  const [y0, y1] = [Math.min(...views.map((v) => v[2])), Math.max(...views.map((v) => v[3]))];
  const half = Math.max(x1 - x0, y1 - y0) / 2;
  const least = Math.min(...views.map((v) => v[1] - v[0]));
  if (2 * half > 3 * least) return views;
  return views.map(() => square((x0 + x1) / 2, (y0 + y1) / 2, half));
}

/** @param {number} position @param {number} last */
export function positionInWords(position, last) {
  if (position < 0.02) return "data space";
  const where = Math.abs(position - Math.round(position)) < 0.02 ? "after" : "into";
  return `${where} layer ${Math.ceil(position - 0.02)} of ${last}`;
}

/** Index of a tint; the one of no change for NaN. @param {number} nats @param {number} [end] */
export const tint = (nats, end = VOLUME_END) => clamp(Math.round(32 + (32 * nats) / end), 0, TINTS - 1) || 0;

/** @param {number[]} contracted @param {number[]} unchanged @param {number[]} expanded */
function tintColors(contracted, unchanged, expanded) {
  return Array.from({ length: TINTS }, (_, i) => {
    const [a, b, f] = i < 32 ? [contracted, unchanged, i / 32] : [unchanged, expanded, (i - 32) / 32];
    return `rgb(${a.map((v, c) => Math.round(v + (b[c] - v) * f)).join(" ")})`;
  });
}

export default provide("layers", update);
