// @ts-check
// A picture whose pixels can be painted: a brush of one pixel, in light, middle or dark, or any colour.

import { announce, clamp, listenToStrokes, make, mountInto, provide, say, stateOf, themeOf } from "./common.js";
import { pixelsInWords } from "./words.js";

const UNDO = 60; // strokes that can be undone

/**
 * @typedef {import("./common.js").SceneBase & {
 *   picture: Float32Array, picture_shape: [number, number, number]
 * }} PixelsScene
 * `picture`: what is painted on, height by width by channels
 */

/** @param {import("./common.js").Component} component @param {PixelsScene} scene */
function update({ parentElement, setStateValue }, scene) {
  const easel = stateOf(parentElement, () => new Easel(parentElement, scene));
  easel.report = (cells) => setStateValue("picture", cells);
  easel.theme = null; // the theme may have changed
  easel.wake();
}

class Easel {
  /** @type {Float32Array<ArrayBuffer>[]} the picture before each stroke */
  undo = [];
  /** @type {number[]} what the brush leaves, a value for each channel */
  ink;
  at = [0, 0]; // row and column of the brush
  last = [0, 0]; // where the stroke has come to
  hover = false; // whether the brush is shown
  drawing = false; // a stroke is under way
  request = 0;
  /** @type {import("./common.js").Theme | null} */
  theme = null;
  /** @type {(cells: number[]) => void} */
  report = () => {};

  /** @param {HTMLElement | ShadowRoot} parent @param {PixelsScene} scene */
  constructor(parent, scene) {
    const { picture } = scene;
    const [height, width, channels] = scene.picture_shape;
    this.scene = scene;
    this.height = height;
    this.width = width;
    this.channels = channels;
    this.start = Float32Array.from(picture);
    this.cells = Float32Array.from(picture);
    this.ink = Array(this.channels).fill(1);
    this.inks = [this.inkButton("Light", 1), this.inkButton("Middle", 0.5), this.inkButton("Dark", 0)];
    this.color = make("input", { type: "color", "aria-label": "Colour of the brush" });
    this.color.hidden = this.channels !== 3;
    this.color.value = hexOf(this.ink);
    this.color.oninput = () => {
      this.ink = [1, 3, 5].map((i) => Number.parseInt(this.color.value.slice(i, i + 2), 16) / 255);
      for (const button of this.inks) button.setAttribute("aria-pressed", "false");
    };
    this.back = make("button", { cls: "chip act", type: "button", text: "Undo" });
    this.reset = make("button", { cls: "chip act", type: "button", text: "Reset" });
    this.note = make("span", { cls: "note" });
    this.canvas = make("canvas", { role: "img", tabindex: "0" });
    const head = make("div", { cls: "head" }, ...this.inks, this.color, this.back, this.reset);
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
    listenToStrokes(this.canvas, this);
    new ResizeObserver(() => this.wake()).observe(this.root);
  }

  /** @param {string} text @param {number} level */
  inkButton(text, level) {
    const button = make("button", { cls: "chip", type: "button", text, "aria-pressed": String(level === 1) });
    button.onclick = () => {
      this.ink = Array(this.channels).fill(level);
      this.color.value = hexOf(this.ink);
      for (const other of this.inks) other.setAttribute("aria-pressed", String(other === button));
    };
    return button;
  }

  /** @param {PointerEvent} e */
  place(e) {
    const { canvas, height, width } = this;
    this.at = [
      clamp(Math.floor((e.offsetY / canvas.clientHeight) * height), 0, height - 1),
      clamp(Math.floor((e.offsetX / canvas.clientWidth) * width), 0, width - 1),
    ];
  }

  /** @param {number} right @param {number} down */
  move(right, down) {
    this.at = [clamp(this.at[0] + down, 0, this.height - 1), clamp(this.at[1] + right, 0, this.width - 1)];
  }

  begin() {
    this.keep();
    this.last = this.at;
  }

  stroke() {
    for (const [i, j] of [this.last, ...cellsBetween(this.last, this.at)])
      this.cells.set(this.ink, (i * this.width + j) * this.channels);
    this.last = this.at;
    this.wake();
  }

  /** Remember the picture, for Undo. */
  keep() {
    this.undo.push(this.cells.slice());
    if (this.undo.length > UNDO) this.undo.shift();
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

/** What a colour input calls a colour in [0, 1], of one channel or three. @param {number[]} ink */
export function hexOf(ink) {
  const levels = [0, 1, 2].map((c) => Math.round(255 * ink[c % ink.length]));
  return `#${levels.map((v) => v.toString(16).padStart(2, "0")).join("")}`;
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
