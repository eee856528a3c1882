// @ts-check
// Drawing on canvases: a plane with axes, marks, smooth approach, a density as a picture.

import { clamp, pixelColor, reducedMotion, TAU, ticks } from "./common.js";

/** @typedef {import("./common.js").Theme} Theme */
/** @typedef {[number, number]} Point in CSS pixels of a canvas */
/** @typedef {{ image: OffscreenCanvas, size: number }} Sprite a picture and its side in CSS pixels */

const EASE_MS = 95; // time constant of the exponential approach: 93 % of the way after 250 ms

// A canvas with a rectangle of data coordinates in it. Lengths are CSS pixels.
export class Plane {
  /** @type {ArrayLike<number>} x0, x1, y0, y1 in data coordinates */
  view = [0, 1, 0, 1];
  font = "sans-serif";
  bigger = false; // labels for a large canvas
  density = 1; // device pixels for a CSS pixel
  type = 1; // how much larger than usual the labels are
  width = 0;
  height = 0;
  // the rectangle inside the padding: its upper left corner, width and height
  x0 = 0;
  y0 = 0;
  pw = 1;
  ph = 1;

  /** @param {HTMLCanvasElement} canvas @param {[number, number, number, number]} pad top, right, bottom, left */
  constructor(canvas, pad) {
    this.canvas = canvas;
    this.pad = pad;
    /** @type {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} */
    this.ctx = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  }

  /** Clear the canvas and follow its size; false where it has none. */
  fit() {
    const density = devicePixelRatio || 1;
    const width = this.canvas.clientWidth;
    const height = this.canvas.clientHeight;
    if (this.canvas.width !== Math.round(width * density) || this.canvas.height !== Math.round(height * density)) {
      this.canvas.width = Math.round(width * density);
      this.canvas.height = Math.round(height * density);
      this.type = Number(getComputedStyle(this.canvas).getPropertyValue("--fl-type")) || 1;
    }
    const [top, right, bottom, left] = this.pad.map((length) => length * this.type);
    this.ctx.setTransform(density, 0, 0, density, 0, 0);
    this.ctx.clearRect(0, 0, width, height);
    const [pw, ph] = [Math.max(1, width - left - right), Math.max(1, height - top - bottom)];
    Object.assign(this, { density, width, height, x0: left, y0: top, pw, ph });
    return width > 0 && height > 0;
  }

  /** @param {number} v */
  x(v) {
    return this.x0 + ((v - this.view[0]) / (this.view[1] - this.view[0])) * this.pw;
  }

  /** @param {number} v */
  y(v) {
    return this.y0 + (1 - (v - this.view[2]) / (this.view[3] - this.view[2])) * this.ph;
  }

  /**
   * Data coordinates of a place on the canvas.
   * @param {number} px @param {number} py
   * @returns {[number, number]}
   */
  at(px, py) {
    const [x0, x1, y0, y1] = Array.from(this.view);
    return [x0 + ((px - this.x0) / this.pw) * (x1 - x0), y0 + (1 - (py - this.y0) / this.ph) * (y1 - y0)];
  }

  /** @param {number} px @param {number} py */
  has(px, py) {
    return px >= this.x0 && px <= this.x0 + this.pw && py >= this.y0 && py <= this.y0 + this.ph;
  }

  /**
   * A view made for a square canvas, widened to the shape of this one: circles stay round.
   * @param {ArrayLike<number>} view
   */
  widened(view) {
    const [x0, x1, y0, y1] = Array.from(view);
    const [across, up] = [Math.max(1, this.pw / this.ph), Math.max(1, this.ph / this.pw)];
    const [dx, dy] = [((across - 1) * (x1 - x0)) / 2, ((up - 1) * (y1 - y0)) / 2];
    return [x0 - dx, x1 + dx, y0 - dy, y1 + dy];
  }

  /** @param {(ctx: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D) => void} draw */
  clip(draw) {
    this.ctx.save();
    this.ctx.beginPath();
    this.ctx.rect(this.x0, this.y0, this.pw, this.ph);
    this.ctx.clip();
    draw(this.ctx);
    this.ctx.restore();
  }

  /**
   * @typedef {object} LabelOptions
   * @property {CanvasTextAlign} [align]
   * @property {CanvasTextBaseline} [base]
   * @property {number} [weight]
   * @property {number} [size]
   * @property {number} [turn] in radians
   * @property {string | null} [halo] colour around the text
   */

  /**
   * @param {string} text @param {number} px @param {number} py @param {string} color @param {LabelOptions} [options]
   */
  label(text, px, py, color, options = {}) {
    const { align = "left", base = "alphabetic", weight = 400, size = 12, turn = 0, halo = null } = options;
    const ctx = this.ctx;
    ctx.save();
    ctx.translate(px, py);
    if (turn) ctx.rotate(turn);
    ctx.font = `${weight} ${(this.bigger ? size + 1.5 : size) * this.type}px ${this.font}`;
    ctx.textAlign = align;
    ctx.textBaseline = base;
    if (halo) {
      ctx.strokeStyle = halo;
      ctx.lineWidth = 4;
      ctx.lineJoin = "round";
      ctx.strokeText(text, 0, 0);
    }
    ctx.fillStyle = color;
    ctx.fillText(text, 0, 0);
    ctx.restore();
  }

  /**
   * @param {Theme} theme @param {string} xTitle @param {string} yTitle
   * @param {{ nx?: number, ny?: number, gridY?: boolean, frame?: boolean }} [options] about how many ticks, and lines
   */
  axes(theme, xTitle, yTitle, { nx = 4, ny = 4, gridY = false, frame = true } = {}) {
    const right = this.x0 + this.pw;
    const floor = this.y0 + this.ph;
    this.font = theme.font;
    this.ctx.lineWidth = 1;
    const few = (/** @type {number} */ n, /** @type {number} */ room) =>
      Math.max(1, Math.min(n, Math.floor(room / this.type)));
    for (const [v, text] of ticks(this.view[2], this.view[3], few(ny, this.ph / 22))) {
      const y = Math.round(this.y(v)) + 0.5;
      if (gridY)
        this.line(theme.grid, [
          [this.x0, y],
          [right, y],
        ]);
      this.label(text, this.x0 - 7, y, theme.muted, { align: "right", base: "middle" });
    }
    for (const [v, text] of ticks(this.view[0], this.view[1], few(nx, this.pw / 60))) {
      const x = clamp(this.x(v), this.x0 + 4, right - 4);
      this.label(text, x, floor + 7, theme.muted, { align: "center", base: "top" });
    }
    if (frame) {
      const [x, y, w, h] = [this.x0, this.y0, this.pw, this.ph].map(Math.round);
      this.ctx.strokeStyle = theme.frame;
      this.ctx.strokeRect(x + 0.5, y + 0.5, w - 1, h - 1);
    } else this.level(theme.frame, floor + 0.5);
    const middle = this.y0 + this.ph / 2;
    if (xTitle) {
      this.label(xTitle, this.x0 + this.pw / 2, this.height - 2, theme.muted, { align: "center", base: "bottom" });
    }
    if (yTitle) this.label(yTitle, 2, middle, theme.muted, { align: "center", base: "top", turn: -Math.PI / 2 });
  }

  /** @typedef {{ width?: number, dash?: number[], alpha?: number }} LineOptions */

  /** @param {string} color @param {Point[]} points @param {LineOptions} [options] */
  line(color, points, { width = 1, dash = [], alpha = 1 } = {}) {
    const ctx = this.ctx;
    ctx.save();
    ctx.globalAlpha = alpha;
    ctx.strokeStyle = color;
    ctx.lineWidth = width;
    ctx.lineJoin = "round";
    ctx.setLineDash(dash);
    ctx.beginPath();
    for (const [i, [x, y]] of points.entries()) {
      if (i) ctx.lineTo(x, y);
      else ctx.moveTo(x, y);
    }
    ctx.stroke();
    ctx.restore();
  }

  /**
   * A level line through the whole plane.
   * @param {string} color @param {number} py @param {LineOptions} [options]
   */
  level(color, py, options) {
    const right = this.x0 + this.pw;
    this.line(
      color,
      [
        [this.x0, py],
        [right, py],
      ],
      options,
    );
  }

  /**
   * An upright line through the whole plane.
   * @param {string} color @param {number} px @param {LineOptions} [options]
   */
  upright(color, px, options) {
    const floor = this.y0 + this.ph;
    this.line(
      color,
      [
        [px, this.y0],
        [px, floor],
      ],
      options,
    );
  }

  /** @param {number} px @param {number} py @param {number} radius @param {string} color @param {number} [width] */
  ring(px, py, radius, color, width = 2) {
    this.ctx.beginPath();
    this.ctx.arc(px, py, radius, 0, TAU);
    this.ctx.strokeStyle = color;
    this.ctx.lineWidth = width;
    this.ctx.stroke();
  }

  /** Begin the path of a circle around the origin of the data coordinates. @param {number} radius */
  circlePath(radius) {
    const [cx, cy] = [this.x(0), this.y(0)];
    this.ctx.beginPath();
    this.ctx.ellipse(cx, cy, this.x(radius) - cx, cy - this.y(radius), 0, 0, TAU);
  }

  /**
   * @param {ArrayLike<number>} xy interleaved data coordinates
   * @param {(i: number) => Sprite | null} sprite the picture of point i, null for none
   */
  dots(xy, sprite) {
    const { view, x0, y0, pw, ph, ctx } = this;
    const kx = pw / (view[1] - view[0]);
    const ky = ph / (view[3] - view[2]);
    for (let i = 0; 2 * i < xy.length; i++) {
      const mark = sprite(i);
      if (!mark) continue;
      const half = mark.size / 2;
      const px = x0 + (xy[2 * i] - view[0]) * kx;
      const py = y0 + (view[3] - xy[2 * i + 1]) * ky;
      const seen = px > x0 - half && px < x0 + pw + half && py > y0 - half && py < y0 + ph + half;
      if (seen) ctx.drawImage(mark.image, px - half, py - half, mark.size, mark.size);
    }
  }

  /**
   * Index of the point nearest to a place, -1 if none is within `reach`.
   * @param {ArrayLike<number>} xy @param {number} px @param {number} py @param {number} [reach]
   */
  nearest(xy, px, py, reach = 12) {
    let best = -1;
    let least = reach * reach;
    for (let i = 0; 2 * i < xy.length; i++) {
      const d = (this.x(xy[2 * i]) - px) ** 2 + (this.y(xy[2 * i + 1]) - py) ** 2;
      if (d < least) [best, least] = [i, d];
    }
    return best;
  }
}

/**
 * A mark drawn once and stamped many times; the halo sets it off from the density behind it.
 * @param {string} color @param {string} halo @param {number} radius
 * @param {"dot" | "diamond" | "ring"} [shape]
 * @returns {Sprite}
 */
export function markSprite(color, halo, radius, shape = "dot") {
  const density = devicePixelRatio || 1;
  const side = Math.ceil((2 * radius + 5) * density);
  const size = side / density;
  const centre = size / 2;
  const image = new OffscreenCanvas(side, side);
  const ctx = /** @type {OffscreenCanvasRenderingContext2D} */ (image.getContext("2d"));
  ctx.scale(density, density);
  /** @param {number} r */
  const path = (r) => {
    ctx.beginPath();
    if (shape !== "diamond") {
      ctx.arc(centre, centre, r, 0, TAU);
      return;
    }
    const reach = 1.3 * r;
    ctx.lineTo(centre, centre - reach);
    ctx.lineTo(centre + reach, centre);
    ctx.lineTo(centre, centre + reach);
    ctx.lineTo(centre - reach, centre);
    ctx.closePath();
  };
  if (shape === "ring") {
    path(radius);
    ctx.strokeStyle = halo;
    ctx.lineWidth = 2.2;
    ctx.stroke();
    ctx.strokeStyle = color;
    ctx.lineWidth = 1;
    ctx.stroke();
  } else {
    path(radius + 0.9);
    ctx.fillStyle = halo;
    ctx.fill();
    path(radius);
    ctx.fillStyle = color;
    ctx.fill();
  }
  return { image, size };
}

// The marks of m rows: all alike, or by `color` (m,) and what it means: a direction, a class or a value.
export class Marks {
  /**
   * @param {Theme} theme
   * @param {{ color?: Uint8Array, color_kind: string }} scene
   * @param {number} m
   * @param {number} [grow]
   */
  constructor(theme, { color, color_kind: kind }, m, grow = 1) {
    const { halo, lut } = theme;
    const radius = grow * (m > 1200 ? 1.5 : 1.9);
    const plain = markSprite(theme.data, halo, radius);
    /** @type {(i: number) => Sprite} the mark of row i */
    this.of = () => plain;
    if (color && kind === "label") {
      const anomaly = markSprite(theme.anomaly, halo, radius + 0.6, "diamond");
      this.of = (i) => (color[i] ? anomaly : plain);
    } else if (color) {
      const paint = (/** @type {number} */ i) =>
        kind === "angle" ? theme.hue(i / 32) : pixelColor(lut[Math.round(70 + (185 * i) / 31)]);
      const wheel = Array.from({ length: 32 }, (_, i) => markSprite(paint(i), halo, radius));
      this.of = (i) => wheel[color[i] >> 3];
    }
    /** The mark of a sample. */
    this.open = markSprite(theme.model, halo, radius, "ring");
  }
}

// An array that approaches its target; many small steps or one large one end in the same place.
export class Approach {
  /** @type {Float32Array | null} */
  now = null;
  /** @type {ArrayLike<number> | null} */
  goal = null;

  /** @param {ArrayLike<number> | null} goal */
  aim(goal) {
    this.goal = goal;
    const jumps = !goal || !this.now || this.now.length !== goal.length || reducedMotion();
    if (jumps) this.now = goal && Float32Array.from(goal);
  }

  /**
   * Move on by dt ms; true while some value is further than `enough` from its goal.
   * @param {number} dt @param {number} enough the distance that no longer shows
   */
  step(dt, enough) {
    const { now, goal } = this;
    if (!goal || !now) return false;
    const share = 1 - Math.exp(-dt / EASE_MS);
    let far = 0;
    for (let i = 0; i < now.length; i++) {
      const d = goal[i] - now[i];
      if (Number.isNaN(d)) {
        now[i] = goal[i];
        continue;
      }
      now[i] += d * share;
      if (Math.abs(d) > far) far = Math.abs(d);
    }
    if (far > enough) return true;
    now.set(goal);
    return false;
  }
}

export const HEAT_POWER = 0.65; // the colour follows this power of the density, so that low densities show

// A coarse field of values 0..255 as a smooth picture: Catmull-Rom in value space, then colour.
export class Heat {
  n = 0; // side of the field that the weights are for
  rows = new Float32Array(0);
  index = new Int16Array(0);
  weight = new Float32Array(0);
  tone = Uint8Array.from({ length: 1024 }, (_, i) => Math.round(255 * (i / 1023) ** HEAT_POWER));

  constructor(side = 240) {
    this.side = side;
    this.picture = new OffscreenCanvas(side, side);
    this.ctx = /** @type {OffscreenCanvasRenderingContext2D} */ (this.picture.getContext("2d"));
    this.image = this.ctx.createImageData(side, side);
    this.pixels = new Uint32Array(this.image.data.buffer);
  }

  /** @param {number} n */
  prepare(n) {
    if (this.n === n) return;
    this.n = n;
    this.rows = new Float32Array(n * this.side);
    this.index = new Int16Array(4 * this.side);
    this.weight = new Float32Array(4 * this.side);
    for (let o = 0; o < this.side; o++) {
      const f = ((o + 0.5) * n) / this.side - 0.5;
      const i = Math.floor(f);
      const weights = catmullRom(f - i);
      for (let k = 0; k < 4; k++) {
        this.index[4 * o + k] = clamp(i + k - 1, 0, n - 1);
        this.weight[4 * o + k] = weights[k];
      }
    }
  }

  /**
   * @param {ArrayLike<number>} values (n, n), row 0 lowest @param {number} n @param {Uint32Array} lut
   */
  paint(values, n, lut) {
    this.prepare(n);
    const { side, rows, index, weight, pixels, tone } = this;
    for (let r = 0; r < n; r++) {
      const start = r * n;
      for (let o = 0; o < side; o++) {
        const q = 4 * o;
        rows[r * side + o] =
          values[start + index[q]] * weight[q] +
          values[start + index[q + 1]] * weight[q + 1] +
          values[start + index[q + 2]] * weight[q + 2] +
          values[start + index[q + 3]] * weight[q + 3];
      }
    }
    for (let o = 0; o < side; o++) {
      const q = 4 * o;
      const [row0, row1, row2, row3] = [index[q] * side, index[q + 1] * side, index[q + 2] * side, index[q + 3] * side];
      const [w0, w1, w2, w3] = [weight[q], weight[q + 1], weight[q + 2], weight[q + 3]];
      const start = (side - 1 - o) * side;
      for (let x = 0; x < side; x++) {
        const v = (rows[row0 + x] * w0 + rows[row1 + x] * w1 + rows[row2 + x] * w2 + rows[row3 + x] * w3) * 4.0118;
        pixels[start + x] = lut[tone[v < 0 ? 0 : v > 1023 ? 1023 : v | 0]];
      }
    }
    this.ctx.putImageData(this.image, 0, 0);
    return this.picture;
  }
}

/**
 * Weights of the four values around a place `t` (0..1) of the way from the second to the third.
 * @param {number} t
 */
export function catmullRom(t) {
  return [-t + 2 * t * t - t ** 3, 2 - 5 * t * t + 3 * t ** 3, t + 4 * t * t - 3 * t ** 3, -t * t + t ** 3].map(
    (weight) => weight / 2,
  );
}

/**
 * In presenter mode, show the stage of a canvas on the whole screen, or put it back.
 * @param {HTMLCanvasElement} canvas
 */
export function fullScreen(canvas) {
  if (document.fullscreenElement) document.exitFullscreen();
  else if (getComputedStyle(canvas).getPropertyValue("--fl-type")) canvas.closest(".stage")?.requestFullscreen();
}
