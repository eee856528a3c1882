// @ts-check
// A small canvas to draw one's own points on: spray, erase, two kinds.

import {
  announce,
  clamp,
  listenToStrokes,
  make,
  mountInto,
  provide,
  say,
  stateOf,
  TAU,
  themeOf,
  unpack,
} from "./common.js";
import { markSprite, Plane } from "./drawing.js";
import { drawingInWords } from "./words.js";

const MOST = 2000; // points
const SPRAY = 0.06; // radius of the spray, as a share of the window
const UNDO = 30; // strokes that can be undone

/** @typedef {import("./drawing.js").Point} Point */
/** @typedef {"data" | "anomaly" | "erase"} Tool */

/**
 * @typedef {import("./common.js").SceneBase & {
 *   window: [number, number, number, number], axes: [string, string]
 * }} PaintScene
 */

/** @param {import("./common.js").Component} component @param {PaintScene} scene */
function update({ data, parentElement, setStateValue }, scene) {
  const painting = stateOf(parentElement, () => new Painting(parentElement, scene));
  painting.report = (drawing) => setStateValue("drawing", drawing);
  painting.theme = null; // the theme may have changed
  if (painting.loaded !== scene) painting.load(scene, unpack(data));
  painting.wake();
}

class Painting {
  /** @type {PaintScene | null} */
  loaded = null;
  /** @type {number[]} (m, 2) */
  xy = [];
  /** @type {number[]} (m,) 1 for an anomaly */
  kind = [];
  /** @type {[number[], number[]][]} xy and kind before each stroke */
  undo = [];
  /** @type {Tool} */
  tool = "data";
  cursor = [0.5, 0.5]; // shares of the window, from its upper left corner
  hover = false; // whether the cursor is shown
  drawing = false; // a stroke is under way
  /** @type {Point | null} last place of the stroke in data coordinates */
  last = null;
  /** @type {import("./common.js").Theme | null} */
  theme = null;
  /** @type {import("./drawing.js").Sprite[]} marks of the two kinds */
  marks = [];
  request = 0;
  /** @type {(drawing: { points: number[], labels: number[] }) => void} */
  report = () => {};

  /** @param {HTMLElement | ShadowRoot} parent @param {PaintScene} scene */
  constructor(parent, scene) {
    this.scene = scene;
    this.tools = {
      data: this.toolButton("data", "Points"),
      anomaly: this.toolButton("anomaly", "Anomalies"),
      erase: this.toolButton("erase", "Eraser"),
    };
    this.back = make("button", { cls: "chip act", type: "button", text: "Undo" });
    this.clear = make("button", { cls: "chip act", type: "button", text: "Clear" });
    this.note = make("span", { cls: "note" });
    this.canvas = make("canvas", { role: "img", tabindex: "0" });
    const head = make("div", { cls: "head" }, ...Object.values(this.tools), this.back, this.clear);
    this.root = make("div", { cls: "fl one paint" }, head, this.canvas, this.note);
    mountInto(parent, this.root, scene.css);
    this.plane = new Plane(this.canvas, [6, 2, 38, 42]);
    this.back.onclick = () => {
      const before = this.undo.pop();
      if (!before) return;
      [this.xy, this.kind] = before;
      this.send();
    };
    this.clear.onclick = () => {
      this.keep();
      [this.xy, this.kind] = [[], []];
      this.send();
    };
    listenToStrokes(this.canvas, this);
    new ResizeObserver(() => this.wake()).observe(this.root);
  }

  /** @param {Tool} name @param {string} text */
  toolButton(name, text) {
    const pressed = String(name === this.tool);
    const button = make("button", { cls: "chip", type: "button", text, "aria-pressed": pressed });
    button.onclick = () => {
      this.tool = name;
      for (const other of Object.values(this.tools)) other.setAttribute("aria-pressed", String(other === button));
      this.wake();
    };
    return button;
  }

  /** @param {PointerEvent} e */
  place(e) {
    const { plane } = this;
    this.cursor = [(e.offsetX - plane.x0) / plane.pw, (e.offsetY - plane.y0) / plane.ph];
  }

  /** @param {number} right @param {number} down */
  move(right, down) {
    this.cursor = [right, down].map((by, i) => clamp(this.cursor[i] + 0.03 * by, 0, 1));
  }

  /** @param {PaintScene} scene @param {{ points?: Float32Array, labels?: Uint8Array }} now */
  load(scene, now) {
    this.scene = scene;
    this.loaded = scene;
    this.xy = Array.from(now.points ?? []);
    this.kind = Array.from(now.labels ?? []);
    this.plane.view = scene.window;
    this.undo = [];
  }

  wake() {
    this.request ||= requestAnimationFrame(() => {
      this.request = 0;
      this.draw();
    });
  }

  begin() {
    this.keep();
    this.last = null;
  }

  /** Remember the drawing, for Undo. */
  keep() {
    this.undo.push([this.xy.slice(), this.kind.slice()]);
    if (this.undo.length > UNDO) this.undo.shift();
  }

  send() {
    this.report({ points: this.xy.map((v) => Number(v.toPrecision(5))), labels: this.kind.slice() });
    this.wake();
  }

  /** Spray or erase from the stroke's last place to the cursor. */
  stroke() {
    const [x0, x1, y0, y1] = Array.from(this.plane.view);
    const [u, v] = this.cursor;
    /** @type {Point} */
    const to = [x0 + u * (x1 - x0), y1 - v * (y1 - y0)];
    const from = this.last ?? to;
    /** @type {Point} */
    const radius = [SPRAY * (x1 - x0), SPRAY * (y1 - y0)];
    this.last = to;
    if (this.tool === "erase") {
      const left = outsideStroke(this.xy, from, to, radius);
      this.xy = left.flatMap((i) => [this.xy[2 * i], this.xy[2 * i + 1]]);
      this.kind = left.map((i) => this.kind[i]);
    } else if (u >= 0 && u <= 1 && v >= 0 && v <= 1) this.spray(from, to, radius);
    this.wake();
  }

  /** Dabs of five points, close enough to leave no gaps. @param {Point} from @param {Point} to @param {Point} radius */
  spray(from, to, radius) {
    const [x0, x1, y0, y1] = Array.from(this.plane.view);
    const length = Math.hypot((to[0] - from[0]) / radius[0], (to[1] - from[1]) / radius[1]);
    const dabs = Math.max(1, Math.ceil(length * 2));
    for (let k = 0; k < 5 * dabs && this.kind.length < MOST; k++) {
      const r = Math.sqrt(Math.random());
      const angle = TAU * Math.random();
      const back = Math.floor(k / 5) / dabs;
      const x = to[0] - back * (to[0] - from[0]) + radius[0] * r * Math.cos(angle);
      const y = to[1] - back * (to[1] - from[1]) + radius[1] * r * Math.sin(angle);
      this.xy.push(clamp(x, x0, x1), clamp(y, y0, y1));
      this.kind.push(this.tool === "anomaly" ? 1 : 0);
    }
  }

  draw() {
    const { plane, kind, scene } = this;
    const points = kind.length;
    if (!this.theme) {
      this.theme = themeOf(this.root, scene.colors);
      const { data, anomaly, halo } = this.theme;
      this.marks = [markSprite(data, halo, 2.1), markSprite(anomaly, halo, 2.7, "diamond")];
    }
    const theme = this.theme;
    if (!plane.fit()) return;
    plane.axes(theme, scene.axes[0], scene.axes[1]);
    plane.clip(() => {
      plane.dots(this.xy, (i) => this.marks[kind[i]]);
      const [cx, cy] = [plane.x0 + plane.pw / 2, plane.y0 + plane.ph / 2];
      if (!points && !this.drawing) plane.label("draw here", cx, cy, theme.muted, { align: "center", size: 15 });
      if (!this.hover) return;
      const color = this.tool === "anomaly" ? theme.anomaly : theme.text;
      const [u, v] = this.cursor;
      plane.ring(plane.x0 + u * plane.pw, plane.y0 + v * plane.ph, SPRAY * plane.pw, color, 1.25);
    });
    const anomalies = kind.reduce((a, b) => a + b, 0);
    const words = drawingInWords(points, anomalies, MOST);
    say(this.note, words);
    this.canvas.ariaLabel = `Drawing: ${words}. Arrow keys move the brush, space draws.`;
    this.back.disabled = !this.undo.length;
    this.clear.disabled = !points;
    announce(this.root, { component: "paint", points, anomalies });
  }
}

/**
 * Indices of the points that a stroke of the eraser from one place to another does not reach.
 * @param {ArrayLike<number>} xy interleaved @param {Point} from @param {Point} to
 * @param {Point} radius of the eraser along each axis
 */
export function outsideStroke(xy, from, to, radius) {
  const [strokeX, strokeY] = [(to[0] - from[0]) / radius[0], (to[1] - from[1]) / radius[1]];
  const length2 = strokeX ** 2 + strokeY ** 2;
  return Array.from({ length: xy.length / 2 }, (_, i) => i).filter((i) => {
    const [dx, dy] = [(xy[2 * i] - from[0]) / radius[0], (xy[2 * i + 1] - from[1]) / radius[1]];
    const along = length2 ? clamp((dx * strokeX + dy * strokeY) / length2, 0, 1) : 0;
    return (dx - along * strokeX) ** 2 + (dy - along * strokeY) ** 2 > 1.001;
  });
}

export default provide("paint", update);
