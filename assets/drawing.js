// Drawing on canvases: a plane with axes, marks, smooth approach, a density as a picture.

const EASE_MS = 95; // time constant of the exponential approach: 93 % of the way after 250 ms

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
