// @ts-check
// A picture whose pixels can be painted: a brush of one pixel, in light, middle or dark, or any colour.

import { announce, clamp, make, mountInto, provide, say, stateOf, themeOf, unpack } from "./common.js";
import { pixelsInWords } from "./words.js";

const UNDO = 60; // strokes that can be undone

/**
 * @typedef {import("./common.js").SceneBase & { shape: [number, number, number] }} PixelsScene
 * `shape`: height, width, channels
 */

/** @param {import("./common.js").Component} component @param {PixelsScene} scene */
function update({ data, parentElement, setStateValue }, scene) {
  const easel = stateOf(parentElement, () => new Easel(parentElement, scene, unpack(data).picture));
  easel.report = (cells) => setStateValue("picture", cells);
  easel.theme = null; // the theme may have changed
  easel.wake();
}

class Easel {
  /** @type {Float32Array<ArrayBuffer>[]} the picture before each stroke */
  undo = [];
  /** @type {number[]} what the brush leaves, a value for each channel */
  ink;
  at = [0, 0]; // row and column of the cursor
  hover = false; // whether the cursor is shown
  painting = false; // a stroke is under way
  request = 0;
  /** @type {import("./common.js").Theme | null} */
  theme = null;
  /** @type {(cells: number[]) => void} */
  report = () => {};

  /** @param {HTMLElement | ShadowRoot} parent @param {PixelsScene} scene @param {Float32Array} picture */
  constructor(parent, scene, picture) {
    const [height, width, channels] = scene.shape;
    this.scene = scene;
    this.height = height;
    this.width = width;
    this.channels = channels;
    this.start = Float32Array.from(picture);
    this.cells = Float32Array.from(picture);
    this.ink = Array(this.channels).fill(1);
    this.inks = [this.inkButton("Light", 1), this.inkButton("Middle", 0.5), this.inkButton("Dark", 0)];
    const color = make("input", { type: "color", "aria-label": "Colour of the brush", value: `#${"f".repeat(6)}` });
    color.hidden = this.channels !== 3;
    color.oninput = () => {
      this.ink = [1, 3, 5].map((i) => Number.parseInt(color.value.slice(i, i + 2), 16) / 255);
      for (const button of this.inks) button.setAttribute("aria-pressed", "false");
    };
    this.back = make("button", { cls: "chip act", type: "button", text: "Undo" });
    this.reset = make("button", { cls: "chip act", type: "button", text: "Reset" });
    this.note = make("span", { cls: "note" });
    this.canvas = make("canvas", { role: "img", tabindex: "0" });
    const head = make("div", { cls: "head" }, ...this.inks, color, this.back, this.reset);
    this.root = make("div", { cls: "fl one pixels" }, head, this.canvas, this.note);
    this.root.style.setProperty("--tall", String(this.height / this.width));
    mountInto(parent, this.root, scene.css);
    this.back.onclick = () => {
      const before = this.undo.pop();
      if (before) this.put(before);
    };
    this.reset.onclick = () => {
      this.undo.push(this.cells.slice());
      this.put(this.start.slice());
    };
    this.listen();
    new ResizeObserver(() => this.wake()).observe(this.root);
  }

  /** @param {string} text @param {number} level */
  inkButton(text, level) {
    const button = make("button", { cls: "chip", type: "button", text, "aria-pressed": String(level === 1) });
    button.onclick = () => {
      this.ink = Array(this.channels).fill(level);
      for (const other of this.inks) other.setAttribute("aria-pressed", String(other === button));
    };
    return button;
  }

  listen() {
    const { canvas } = this;
    /** @param {PointerEvent} e */
    const place = (e) => {
      const [i, j] = [e.offsetY / canvas.clientHeight, e.offsetX / canvas.clientWidth];
      this.at = [
        clamp(Math.floor(i * this.height), 0, this.height - 1),
        clamp(Math.floor(j * this.width), 0, this.width - 1),
      ];
    };
    const end = () => {
      if (this.painting) this.send();
      this.painting = false;
    };
    canvas.onpointerdown = (e) => {
      canvas.setPointerCapture(e.pointerId);
      this.keep();
      this.painting = true;
      place(e);
      this.paint();
    };
    canvas.onpointermove = (e) => {
      const from = this.at;
      place(e);
      this.hover = true;
      if (this.painting) for (const at of cellsBetween(from, this.at)) this.paint(at);
      this.wake();
    };
    canvas.onpointerleave = () => {
      this.hover = false;
      this.wake();
    };
    canvas.onpointerup = end;
    canvas.onpointercancel = end;
    canvas.onkeydown = (e) => this.key(e);
  }

  /** @param {KeyboardEvent} e */
  key(e) {
    /** @type {Record<string, [number, number]>} */
    const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    const by = moves[e.key];
    if (by) this.at = [clamp(this.at[0] + by[0], 0, this.height - 1), clamp(this.at[1] + by[1], 0, this.width - 1)];
    else if (e.key === " ") {
      this.keep();
      this.paint();
      this.send();
    } else return;
    this.hover = true;
    e.preventDefault();
    this.wake();
  }

  /** Remember the picture, for Undo. */
  keep() {
    this.undo.push(this.cells.slice());
    if (this.undo.length > UNDO) this.undo.shift();
  }

  /** @param {number[]} [at] row and column, by default those of the cursor */
  paint([i, j] = this.at) {
    this.cells.set(this.ink, (i * this.width + j) * this.channels);
    this.wake();
  }

  /** @param {Float32Array<ArrayBuffer>} cells */
  put(cells) {
    this.cells = cells;
    this.send();
  }

  send() {
    this.report(Array.from(this.cells, (v) => Number(v.toPrecision(5))));
    this.wake();
  }

  wake() {
    this.request ||= requestAnimationFrame(() => {
      this.request = 0;
      this.draw();
    });
  }

  draw() {
    const { canvas, height, width, channels, cells } = this;
    this.theme ??= themeOf(this.root, this.scene.colors);
    const { theme } = this;
    const ctx = canvas.getContext("2d");
    const [w, h] = [canvas.clientWidth * devicePixelRatio, canvas.clientHeight * devicePixelRatio].map(Math.round);
    if (!ctx || !w || !h) return;
    [canvas.width, canvas.height] = [w, h];
    /** @param {number} k @param {number} n @param {number} size */
    const edge = (k, n, size) => Math.round((k * size) / n);
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < width; j++) {
        const [x, y] = [edge(j, width, w), edge(i, height, h)];
        ctx.fillStyle = shade(cells, (i * width + j) * channels, channels);
        ctx.fillRect(x, y, edge(j + 1, width, w) - x, edge(i + 1, height, h) - y);
      }
    }
    ctx.strokeStyle = theme.frame;
    ctx.strokeRect(0.5, 0.5, w - 1, h - 1);
    if (this.hover) {
      const [i, j] = this.at;
      ctx.lineWidth = 2 * devicePixelRatio;
      ctx.strokeStyle = theme.model;
      ctx.strokeRect(edge(j, width, w), edge(i, height, h), w / width, h / height);
    }
    const changed = changedPixels(this.start, cells, channels);
    const words = pixelsInWords(changed, height * width);
    say(this.note, words);
    canvas.ariaLabel = `Picture of ${height} by ${width} pixels, ${words}. Arrow keys move the brush, space paints.`;
    this.back.disabled = !this.undo.length;
    this.reset.disabled = !changed;
    announce(this.root, { component: "pixels", changed });
  }
}

/** The colour of a pixel in [0, 1]. @param {ArrayLike<number>} cells @param {number} k @param {number} channels */
export function shade(cells, k, channels) {
  const levels = [0, 1, 2].map((c) => Math.round(255 * clamp(cells[k + (channels === 3 ? c : 0)], 0, 1)));
  return `rgb(${levels.join(" ")})`;
}

/**
 * Rows and columns on the way from one pixel to another, without the first: a fast stroke leaves no gap.
 * @param {number[]} from @param {number[]} to
 */
export function cellsBetween([i0, j0], [i1, j1]) {
  const n = Math.max(Math.abs(i1 - i0), Math.abs(j1 - j0));
  return Array.from({ length: n }, (_, k) => [
    Math.round(i0 + ((k + 1) * (i1 - i0)) / n),
    Math.round(j0 + ((k + 1) * (j1 - j0)) / n),
  ]);
}

/**
 * How many pixels differ in any channel.
 * @param {ArrayLike<number>} before @param {ArrayLike<number>} after @param {number} channels
 */
export function changedPixels(before, after, channels) {
  const changed = new Set();
  for (let k = 0; k < after.length; k++) if (before[k] !== after[k]) changed.add(Math.floor(k / channels));
  return changed.size;
}

export default provide("pixels", update);
