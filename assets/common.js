// What every canvas of FlowLab shares: reading packed arrays, colours of the theme, a plane with axes, dots.

const PALETTE = {
  light: { data: "#56657A", model: "#2F5FD0", truth: "#00856A", alarm: "#D1490C" },
  dark: { data: "#A9B4C4", model: "#7EA2FF", truth: "#37C8A4", alarm: "#FF8A55" },
};
// One family for densities, after cividis (Nunez, Anderton & Renslow 2018); the first stop is the page itself.
const STOPS = {
  light: [null, "#F3EBC0", "#D9C983", "#A9A077", "#77777A", "#434E6C", "#14284F", "#001B40"],
  dark: [null, "#12244A", "#35456B", "#5F6575", "#8E8873", "#BFAE66", "#E8D35A", "#FFF2A6"],
};
const TAU = 2 * Math.PI;
const EASE_MS = 95; // time constant of the exponential approach: 93 % of the way after 250 ms
const reducedMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const clamp = (v, lo, hi) => Math.min(hi, Math.max(lo, v));

// bytes of pages/ui/component.py `pack` -> {header fields..., name: typed array, name_shape: [...]}
function unpack(bytes) {
  const own = bytes.slice(); // a fresh buffer, so that the offsets are aligned
  const n = new DataView(own.buffer).getUint32(0, true);
  const out = JSON.parse(new TextDecoder().decode(own.subarray(4, 4 + n)));
  const kinds = { f4: Float32Array, f2: Uint16Array, u1: Uint8Array, u4: Uint32Array };
  for (const [name, kind, shape, offset] of out.arrays) {
    const raw = new kinds[kind](own.buffer, offset, shape.reduce((a, b) => a * b, 1));
    out[name] = kind === "f2" ? fromHalf(raw) : raw;
    out[name + "_shape"] = shape;
  }
  return out;
}

function fromHalf(raw) {
  const out = new Float32Array(raw.length);
  for (let i = 0; i < raw.length; i++) {
    const h = raw[i], e = (h >> 10) & 31, m = h & 1023;
    const v = e === 31 ? NaN : e ? 2 ** (e - 15) * (1 + m / 1024) : 2 ** -14 * (m / 1024);
    out[i] = h & 0x8000 ? -v : v;
  }
  return out;
}

// The carrier element brings this code and a scene; the element that changes finds both under `name`.
function provide(name, update) {
  const shelf = (globalThis.__flowlab ??= {});
  const entry = (shelf[name] ??= { scenes: new Map(), waiting: [] });
  return ({ data }) => {
    const scene = unpack(data);
    entry.update = update;
    entry.scenes.delete(scene.scene);
    entry.scenes.set(scene.scene, scene);
    if (entry.scenes.size > 12) entry.scenes.delete(entry.scenes.keys().next().value);
    for (const wake of entry.waiting.splice(0)) wake();
  };
}

function rgb(text) {
  const c = (rgb.canvas ??= new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true }));
  c.fillStyle = "#888";
  c.fillStyle = text;
  c.fillRect(0, 0, 1, 1);
  return [...c.getImageData(0, 0, 1, 1).data.slice(0, 3)];
}

function themeOf(element) {
  const css = getComputedStyle(element);
  const get = (name, fallback) => css.getPropertyValue(name).trim() || fallback;
  const page = get("--st-background-color", "#ffffff"), back = rgb(page);
  const dark = 0.2126 * back[0] + 0.7152 * back[1] + 0.0722 * back[2] < 110;
  const text = get("--st-text-color", dark ? "#eeeeee" : "#222222"), ink = rgb(text);
  const mix = (t) => `rgb(${ink.map((v, i) => Math.round(v * t + back[i] * (1 - t))).join(" ")})`;
  const stops = STOPS[dark ? "dark" : "light"].map((s) => (s ? rgb(s) : back));
  const lut = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    const f = (i / 255) * (stops.length - 1), a = Math.min(stops.length - 2, Math.floor(f)), t = f - a;
    const [r, g, b] = [0, 1, 2].map((c) => Math.round(stops[a][c] * (1 - t) + stops[a + 1][c] * t));
    lut[i] = (255 << 24) | (b << 16) | (g << 8) | r;
  }
  return {
    ...PALETTE[dark ? "dark" : "light"], dark, page, text, lut, halo: dark ? "rgb(6 10 20 / 0.75)" : "rgb(255 255 255 / 0.8)",
    muted: mix(0.72), faint: mix(0.32), grid: mix(0.1),
    frame: mix(0.24), font: get("--st-font", "sans-serif"), id: page + text,
    // a circle of hues of one lightness, so that no direction looks more important than another
    hue: (t) => `oklch(${dark ? "0.78 0.13" : "0.56 0.15"} ${Math.round(t * 360)})`,
  };
}

function ticks(lo, hi, n) {
  const raw = (hi - lo) / n, power = 10 ** Math.floor(Math.log10(raw)), rest = raw / power;
  const step = power * (rest > 5 ? 10 : rest > 2 ? 5 : rest > 1 ? 2 : 1), out = [];
  for (let v = Math.ceil(lo / step - 1e-9) * step; v <= hi + step * 1e-9; v += step) out.push(Math.abs(v) < step / 1e6 ? 0 : v);
  const places = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return out.map((v) => [v, thin(v, places)]);
}

// 12 345.678 with a thin space every three digits and a true minus sign
function thin(v, places = 0) {
  if (!Number.isFinite(v)) return "\u2013";
  if (v && (Math.abs(v) >= 1e7 || Math.abs(v) < 1e-4)) return v.toExponential(1).replace("-", "\u2212");
  const [whole, rest] = Math.abs(v).toFixed(places).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, "\u2009");
  return (v < 0 ? "\u2212" : "") + grouped + (rest ? "." + rest : "");
}

// A canvas with a rectangle of data coordinates in it. Lengths are CSS pixels.
class Plane {
  constructor(canvas, pad) {
    Object.assign(this, { canvas, pad, g: canvas.getContext("2d"), view: [0, 1, 0, 1] });
  }
  fit() {
    const d = devicePixelRatio || 1, w = this.canvas.clientWidth, h = this.canvas.clientHeight;
    if (this.canvas.width !== Math.round(w * d) || this.canvas.height !== Math.round(h * d)) {
      this.canvas.width = Math.round(w * d);
      this.canvas.height = Math.round(h * d);
    }
    this.g.setTransform(d, 0, 0, d, 0, 0);
    this.g.clearRect(0, 0, w, h);
    const [top, right, bottom, left] = this.pad;
    Object.assign(this, { d, w, h, x0: left, y0: top, pw: Math.max(1, w - left - right), ph: Math.max(1, h - top - bottom) });
    return w > 0 && h > 0;
  }
  x(v) { return this.x0 + ((v - this.view[0]) / (this.view[1] - this.view[0])) * this.pw; }
  y(v) { return this.y0 + (1 - (v - this.view[2]) / (this.view[3] - this.view[2])) * this.ph; }
  at(px, py) {
    return [this.view[0] + ((px - this.x0) / this.pw) * (this.view[1] - this.view[0]),
      this.view[2] + (1 - (py - this.y0) / this.ph) * (this.view[3] - this.view[2])];
  }
  has(px, py) { return px >= this.x0 && px <= this.x0 + this.pw && py >= this.y0 && py <= this.y0 + this.ph; }
  clip(draw) {
    this.g.save();
    this.g.beginPath();
    this.g.rect(this.x0, this.y0, this.pw, this.ph);
    this.g.clip();
    draw(this.g);
    this.g.restore();
  }
  label(text, px, py, color, { align = "left", base = "alphabetic", weight = 400, size = 12, turn = 0, halo = null } = {}) {
    const g = this.g;
    g.save();
    g.translate(px, py);
    if (turn) g.rotate(turn);
    g.font = `${weight} ${this.bigger ? size + 1.5 : size}px ${this.font}`;
    g.textAlign = align;
    g.textBaseline = base;
    if (halo) {
      g.strokeStyle = halo;
      g.lineWidth = 4;
      g.lineJoin = "round";
      g.strokeText(text, 0, 0);
    }
    g.fillStyle = color;
    g.fillText(text, 0, 0);
    g.restore();
  }
  axes(t, xTitle, yTitle, { nx = 4, ny = 4, gridY = false, frame = true } = {}) {
    const g = this.g, right = this.x0 + this.pw, floor = this.y0 + this.ph;
    this.font = t.font;
    g.lineWidth = 1;
    for (const [v, text] of ticks(this.view[2], this.view[3], ny)) {
      const y = Math.round(this.y(v)) + 0.5;
      if (gridY) this.line(t.grid, [[this.x0, y], [right, y]]);
      this.label(text, this.x0 - 7, y, t.muted, { align: "right", base: "middle" });
    }
    for (const [v, text] of ticks(this.view[0], this.view[1], nx)) {
      this.label(text, clamp(this.x(v), this.x0 + 4, right - 4), floor + 7, t.muted, { align: "center", base: "top" });
    }
    if (frame) {
      g.strokeStyle = t.frame;
      g.strokeRect(Math.round(this.x0) + 0.5, Math.round(this.y0) + 0.5, Math.round(this.pw) - 1, Math.round(this.ph) - 1);
    } else this.line(t.frame, [[this.x0, floor + 0.5], [right, floor + 0.5]]);
    if (xTitle) this.label(xTitle, this.x0 + this.pw / 2, this.h - 2, t.muted, { align: "center", base: "bottom" });
    if (yTitle) this.label(yTitle, 2, this.y0 + this.ph / 2, t.muted, { align: "center", base: "top", turn: -Math.PI / 2 });
  }
  line(color, points, { width = 1, dash = [], alpha = 1 } = {}) {
    const g = this.g;
    g.save();
    g.globalAlpha = alpha;
    g.strokeStyle = color;
    g.lineWidth = width;
    g.lineJoin = "round";
    g.setLineDash(dash);
    g.beginPath();
    points.forEach(([x, y], i) => (i ? g.lineTo(x, y) : g.moveTo(x, y)));
    g.stroke();
    g.restore();
  }
  ring(px, py, r, color, width = 2) {
    this.g.beginPath();
    this.g.arc(px, py, r, 0, TAU);
    this.g.strokeStyle = color;
    this.g.lineWidth = width;
    this.g.stroke();
  }
  // xy: interleaved data coordinates; sprite(i) -> the picture of point i
  dots(xy, sprite) {
    const g = this.g, { view, x0, y0, pw, ph } = this, kx = pw / (view[1] - view[0]), ky = ph / (view[3] - view[2]);
    for (let i = 0; 2 * i < xy.length; i++) {
      const s = sprite(i), half = s.size / 2;
      const px = x0 + (xy[2 * i] - view[0]) * kx, py = y0 + (view[3] - xy[2 * i + 1]) * ky;
      if (px > x0 - half && px < x0 + pw + half && py > y0 - half && py < y0 + ph + half) g.drawImage(s.image, px - half, py - half, s.size, s.size);
    }
  }
  nearest(xy, px, py, reach = 12) {
    let best = -1, least = reach * reach;
    for (let i = 0; 2 * i < xy.length; i++) {
      const d = (this.x(xy[2 * i]) - px) ** 2 + (this.y(xy[2 * i + 1]) - py) ** 2;
      if (d < least) [best, least] = [i, d];
    }
    return best;
  }
}

// A mark drawn once and stamped many times; the halo keeps it apart from any density behind it.
function markSprite(color, halo, radius, shape = "dot") {
  const d = devicePixelRatio || 1, n = Math.ceil((2 * radius + 5) * d), size = n / d;
  const image = new OffscreenCanvas(n, n), g = image.getContext("2d"), c = size / 2;
  g.scale(d, d);
  const path = (r) => {
    g.beginPath();
    if (shape !== "diamond") return g.arc(c, c, r, 0, TAU);
    r *= 1.3;
    for (const [x, y] of [[0, -r], [r, 0], [0, r], [-r, 0]]) g.lineTo(c + x, c + y);
    g.closePath();
  };
  path(shape === "ring" ? radius : radius + 0.9);
  if (shape === "ring") {
    g.strokeStyle = halo;
    g.lineWidth = 2.2;
    g.stroke();
    g.strokeStyle = color;
    g.lineWidth = 1;
    g.stroke();
  } else {
    g.fillStyle = halo;
    g.fill();
    path(radius);
    g.fillStyle = color;
    g.fill();
  }
  return { image, size };
}

// The marks of m rows: all alike, or by `color` (m,) and what it means: a direction, a class or a value.
class Marks {
  constructor(t, { color, color_kind: kind }, m, grow = 1) {
    const halo = t.halo, radius = grow * (m > 1200 ? 1.5 : 1.9), plain = markSprite(t.data, halo, radius);
    const make = (paint) => Array.from({ length: 32 }, (_, i) => markSprite(paint(i / 31), halo, radius));
    const shade = (f) => { const c = t.lut[Math.round(70 + 185 * f)]; return `rgb(${c & 255} ${(c >> 8) & 255} ${(c >> 16) & 255})`; };
    if (!color) this.of = () => plain;
    else if (kind === "label") {
      const strange = markSprite(t.alarm, halo, radius + 0.6, "diamond");
      this.of = (i) => (color[i] ? strange : plain);
    } else {
      const wheel = make(kind === "angle" ? (f) => t.hue((f * 31) / 32) : shade);
      this.of = (i) => wheel[color[i] >> 3];
    }
    this.open = markSprite(t.model, halo, radius, "ring");
  }
}

// An array that approaches its target; many small steps or one large one end in the same place.
class Approach {
  constructor() { this.now = null; this.goal = null; }
  aim(goal) {
    this.goal = goal;
    if (!goal || !this.now || this.now.length !== goal.length || reducedMotion()) this.now = goal && Float32Array.from(goal);
  }
  // `enough`: the distance that no longer shows. True while still on the way.
  step(dt, enough) {
    if (!this.goal) return false;
    const { now, goal } = this, k = 1 - Math.exp(-dt / EASE_MS);
    let far = 0;
    for (let i = 0; i < now.length; i++) {
      const d = goal[i] - now[i];
      if (d !== d) { now[i] = goal[i]; continue; }
      now[i] += d * k;
      if (Math.abs(d) > far) far = Math.abs(d);
    }
    if (far > enough) return true;
    now.set(goal);
    return false;
  }
}

// A coarse field of values 0..255 as a smooth picture: Catmull-Rom in value space, then colour.
class Heat {
  constructor(side = 240) {
    this.side = side;
    this.picture = new OffscreenCanvas(side, side);
    this.g = this.picture.getContext("2d");
    this.image = this.g.createImageData(side, side);
    this.pixels = new Uint32Array(this.image.data.buffer);
  }
  weights(n) {
    if (this.n === n) return;
    this.n = n;
    this.rows = new Float32Array(n * this.side);
    this.index = new Int16Array(4 * this.side);
    this.weight = new Float32Array(4 * this.side);
    for (let o = 0; o < this.side; o++) {
      const f = ((o + 0.5) * n) / this.side - 0.5, i = Math.floor(f), t = f - i;
      const w = [-t + 2 * t * t - t ** 3, 2 - 5 * t * t + 3 * t ** 3, t + 4 * t * t - 3 * t ** 3, -t * t + t ** 3];
      for (let k = 0; k < 4; k++) {
        this.index[4 * o + k] = clamp(i + k - 1, 0, n - 1);
        this.weight[4 * o + k] = w[k] / 2;
      }
    }
  }
  // values: (n, n), row 0 lowest. The colour follows the power 0.65 of the density so that thin bridges show.
  paint(values, n, lut) {
    this.weights(n);
    const { side, rows, index: I, weight: W, pixels } = this;
    if (!this.tone) this.tone = Uint8Array.from({ length: 1024 }, (_, i) => Math.round(255 * (i / 1023) ** Heat.POWER));
    for (let r = 0; r < n; r++) for (let o = 0; o < side; o++) {
      const q = 4 * o, b = r * n;
      rows[r * side + o] = values[b + I[q]] * W[q] + values[b + I[q + 1]] * W[q + 1] + values[b + I[q + 2]] * W[q + 2] + values[b + I[q + 3]] * W[q + 3];
    }
    for (let o = 0; o < side; o++) {
      const q = 4 * o, a = I[q] * side, b = I[q + 1] * side, c = I[q + 2] * side, e = I[q + 3] * side, out = (side - 1 - o) * side;
      const wa = W[q], wb = W[q + 1], wc = W[q + 2], we = W[q + 3];
      for (let x = 0; x < side; x++) {
        const v = (rows[a + x] * wa + rows[b + x] * wb + rows[c + x] * wc + rows[e + x] * we) * 4.0118;
        pixels[out + x] = lut[this.tone[v < 0 ? 0 : v > 1023 ? 1023 : v | 0]];
      }
    }
    this.g.putImageData(this.image, 0, 0);
    return this.picture;
  }
}
Heat.POWER = 0.65;

// Put a component's elements in place. While a slow rerun is under way Streamlit fades what it has not drawn yet;
// a canvas that draws itself is never out of date, and must not blink.
function mountInto(parent, root) {
  parent.append(make("style", { text: CSS }), root);
  const box = (parent.host ?? parent).closest("[data-testid=stElementContainer]");
  box?.style.setProperty("opacity", "1", "important");
  box?.style.setProperty("transition", "none", "important");
}

// <tag class=... attributes>text or children; text only ever goes into text nodes
function make(tag, { cls = "", text = null, ...attributes } = {}, ...children) {
  const e = document.createElement(tag);
  if (cls) e.className = cls;
  if (text !== null) e.textContent = text;
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  e.append(...children);
  return e;
}
