// Two stages (data space, latent space) and the loss strip under them: what the live view and the film both draw.

const INSIDE_TWO = { 1: 95.45, 2: 100 * (1 - Math.exp(-2)) }; // % of a standard Gaussian within 2, in one and two dimensions

class Stages {
  constructor(parent, scene) {
    const chip = (text, on) => make("button", { cls: "chip", type: "button", text, "aria-pressed": String(on) });
    const canvas = () => make("canvas", { role: "img" });
    this.canvas = { data: canvas(), latent: canvas(), loss: canvas() };
    this.chips = { density: chip("Density", true), data: chip("Data", true), samples: chip("Samples", false) };
    this.note = { latent: make("span", { cls: "note" }), loss: make("span", { cls: "note" }) };
    this.tip = make("div", { cls: "tip", role: "tooltip" });
    this.tip.hidden = true;
    const head = (title, ...rest) => make("div", { cls: "head" }, make("strong", { text: title }), ...rest);
    const chips = make("span", { cls: "chips", role: "group", "aria-label": "Show in data space" }, ...Object.values(this.chips));
    this.root = make("div", { cls: "fl" },
      make("div", { cls: "pair" },
        make("div", { cls: "stage" }, head("Data space", chips), this.canvas.data),
        make("div", { cls: "stage" }, head("Latent space", this.note.latent), this.canvas.latent)),
      (this.strip = make("div", { cls: "strip" }, head("Loss", (this.unit = make("span", { cls: "unit" })), this.note.loss), this.canvas.loss)), this.tip);
    mountInto(parent, this.root);
    this.plane = {
      data: new Plane(this.canvas.data, [6, 2, 38, 42]), latent: new Plane(this.canvas.latent, [6, 2, 38, 42]),
      loss: new Plane(this.canvas.loss, [8, 124, 34, 42]),
    };
    this.heat = new Heat();
    this.range = new Approach();
    this.frames = 0;
    this.drawMs = 0;
    this.wanted = () => {};
    for (const b of Object.values(this.chips)) b.onclick = () => {
      b.setAttribute("aria-pressed", String(b.getAttribute("aria-pressed") !== "true"));
      this.wanted();
    };
    for (const [name, c] of Object.entries(this.canvas)) {
      c.onpointermove = (e) => { this.pointer = { name, x: e.offsetX, y: e.offsetY }; this.wanted(); };
      c.onpointerleave = () => { this.pointer = null; this.wanted(); };
    }
    new ResizeObserver(() => this.wanted()).observe(this.root);
    this.setScene(scene);
  }

  setScene(scene) {
    this.scene = scene;
    const flat = !scene.has_density;
    this.chips.density.hidden = flat;
    if (flat && !this.touched) this.chips.samples.setAttribute("aria-pressed", "true");
    this.touched = true;
    this.plane.data.view = scene.window;
    this.plane.latent.view = [-4, 4, -4, 4];
    this.range = new Approach();
    this.latentView = new Approach();
    this.styled = "";
    this.unit.textContent = scene.loss_unit;
  }

  restyle() {
    const t = (this.theme ??= themeOf(this.root));
    const grow = clamp(this.canvas.data.clientWidth / 400, 1, 1.6), id = `${t.id} ${devicePixelRatio} ${grow.toFixed(1)}`;
    if (this.styled === id) return;
    this.styled = id;
    for (const p of Object.values(this.plane)) p.font = t.font;
    for (const p of Object.values(this.plane)) p.bigger = grow > 1.3;
    this.marks = new Marks(t, this.scene, this.scene.points_shape[0], grow);
    this.small = new Marks(t, this.scene, this.scene.points_shape[0], 0.72 * grow); // over a density, which is the news
  }

  shows(name) { return this.chips[name].getAttribute("aria-pressed") === "true" && !this.chips[name].hidden; }

  // frame: {density, side, densityMax, latent, samples, loss: {step, train, val}, cursor}; any may be missing
  draw(frame, dt = 16) {
    const began = performance.now();
    this.restyle();
    if (!Object.values(this.plane).map((p) => p.fit()).every(Boolean)) return false;
    this.frame = frame;
    const hover = this.find(frame);
    this.drawData(frame, hover);
    this.drawLatent(frame, hover, dt);
    const moving = this.drawLoss(frame, dt);
    this.showTip(frame, hover);
    this.frames++;
    this.drawMs += performance.now() - began;
    return moving;
  }

  drawData(frame, hover) {
    const p = this.plane.data, { scene, theme: t } = this;
    if (frame.density && this.shows("density") && scene.n_features === 1) this.area(p, frame);
    else if (frame.density && this.shows("density")) {
      const picture = this.heat.paint(frame.density, frame.side, t.lut);
      p.g.imageSmoothingQuality = "high";
      p.g.drawImage(picture, p.x0, p.y0, p.pw, p.ph);
    }
    p.clip(() => {
      if (frame.samples && this.shows("samples")) p.dots(frame.samples, () => this.marks.open);
      if (this.shows("data")) p.g.drawImage(this.still(p, frame.density && this.shows("density") ? this.small : this.marks), 0, 0, p.w, p.h);
      if (hover >= 0) p.ring(p.x(scene.points[2 * hover]), p.y(scene.points[2 * hover + 1]), 7, t.text);
    });
    p.axes(t, scene.axes[0], scene.axes[1]);
    if (frame.density && this.shows("density") && scene.n_features > 1) this.scale(p, frame.densityMax);
  }

  // one feature: the picture is filled up to the curve, so the curve is where each column's filling ends
  area(p, { density, side }) {
    const t = this.theme, [x0, x1, y0, y1] = this.scene.window, curve = [];
    for (let c = 0; c < side; c++) {
      let filled = 0;
      for (let r = 0; r < side; r++) filled += density[r * side + c] / 160;
      curve.push([p.x(x0 + ((c + 0.5) * (x1 - x0)) / side), p.y(y0 + (filled * (y1 - y0)) / side)]);
    }
    const floor = p.y(y0), g = p.g;
    g.globalAlpha = 0.2;
    g.fillStyle = t.model;
    g.beginPath();
    for (const [x, y] of [[curve[0][0], floor], ...curve, [curve[side - 1][0], floor]]) g.lineTo(x, y);
    g.fill();
    g.globalAlpha = 1;
    p.line(t.model, curve, { width: 2 });
  }

  // the data points do not move: they are drawn once, and stamped as one picture
  still(p, marks) {
    const key = `${this.styled} ${p.w} ${p.h} ${p.d}`;
    if (this.layer?.key === key && this.layer.marks === marks) return this.layer.picture;
    const picture = new OffscreenCanvas(p.canvas.width, p.canvas.height), screen = p.g;
    p.g = picture.getContext("2d");
    p.g.setTransform(p.d, 0, 0, p.d, 0, 0);
    p.clip(() => p.dots(this.scene.points, marks.of));
    p.g = screen;
    this.layer = { key, marks, picture };
    return picture;
  }

  // the colours' meaning, in a corner of the picture
  scale(p, top) {
    const t = this.theme, w = 74, h = 7, x = p.x0 + p.pw - w - 12, y = p.y0 + 22;
    for (let i = 0; i < w; i++) {
      const c = t.lut[Math.round(255 * (i / (w - 1)) ** Heat.POWER)];
      p.g.fillStyle = `rgb(${c & 255} ${(c >> 8) & 255} ${(c >> 16) & 255})`;
      p.g.fillRect(x + i, y, 1.5, h);
    }
    p.g.strokeStyle = t.frame;
    p.g.strokeRect(x - 0.5, y - 0.5, w + 1.5, h + 1);
    const say = (text, px, align) => p.label(text, px, y - 4, t.text, { align, size: 11, halo: t.halo });
    say("density 0", x, "left");
    say(Number.isFinite(top) ? top.toPrecision(2) : "max", x + w, "right");
  }

  drawLatent(frame, hover, dt) {
    const p = this.plane.latent, t = this.theme, { latent_is_gaussian: gaussian, n_features } = this.scene;
    const none = !frame.latent && (frame.density || frame.samples), rings = gaussian && !none ? [1, 2, 3] : [];
    if (!gaussian && frame.latent) p.view = this.around(frame.latent, dt);
    p.axes(t, "latent 1", n_features > 1 ? "latent 2" : "no meaning: keeps points apart");
    p.clip((g) => {
      for (const r of rings) {
        g.beginPath();
        if (n_features > 1) g.ellipse(p.x(0), p.y(0), p.x(r) - p.x(0), p.y(0) - p.y(r), 0, 0, TAU);
        else for (const x of [-r, r]) { g.moveTo(p.x(x), p.y0); g.lineTo(p.x(x), p.y0 + p.ph); }
        g.strokeStyle = t.truth;
        g.globalAlpha = 1 - 0.2 * r;
        g.lineWidth = 1.25;
        g.setLineDash(r === 1 ? [] : [5, 4]);
        g.stroke();
        g.setLineDash([]);
        g.globalAlpha = 1;
      }
      if (frame.latent) p.dots(frame.latent, this.marks.of);
      if (n_features > 1) for (const r of rings) {
        p.label(`radius ${r}`, p.x(r * Math.SQRT1_2) + 3, p.y(r * Math.SQRT1_2) - 3, t.truth, { size: 11, halo: t.page });
      }
      if (hover >= 0 && frame.latent) p.ring(p.x(frame.latent[2 * hover]), p.y(frame.latent[2 * hover + 1]), 7, t.text);
      const why = none ? "this model has no latent space" : "the points arrive with the first step";
      if (!frame.latent) p.label(why, p.x(0), p.y(-1.5), t.muted, { align: "center", size: 13, halo: t.page });
    });
  }

  // a latent space that nothing holds to a Gaussian is shown where its points are
  around(xy, dt) {
    let [x0, x1, y0, y1] = [Infinity, -Infinity, Infinity, -Infinity];
    for (let i = 0; i < xy.length; i += 2) {
      if (xy[i] < x0) x0 = xy[i];
      if (xy[i] > x1) x1 = xy[i];
      if (xy[i + 1] < y0) y0 = xy[i + 1];
      if (xy[i + 1] > y1) y1 = xy[i + 1];
    }
    const half = 0.58 * Math.max(x1 - x0, y1 - y0, 1e-6), x = (x0 + x1) / 2, y = (y0 + y1) / 2;
    this.latentView.aim(Float32Array.of(x - half, x + half, y - half, y + half));
    this.latentView.step(dt, half / 200);
    return this.latentView.now;
  }

  drawLoss(frame, dt) {
    const p = this.plane.loss, { scene, theme: t } = this, { step, train, val } = frame.loss, n = step.length;
    const seen = frame.step === undefined ? n : lastUpTo(step, frame.step) + 1, film = frame.cursor !== undefined;
    const floor = scene.entropy, [lo, hi] = this.reach(train.slice(0, seen), val.slice(0, seen), floor), pad = 0.08 * (hi - lo);
    this.range.aim(Float32Array.of(lo - (floor === null ? pad : 4 * pad), hi + pad)); // room for the floor's name
    const moving = this.range.step(dt, pad / 100);
    p.view = [0, scene.n_steps, this.range.now[0], this.range.now[1]];
    p.axes(t, "step", "", { nx: Math.min(8, scene.n_steps), ny: 4, gridY: true, frame: false });
    const curve = (y) => Array.from(step, (s, i) => [p.x(s), p.y(y[i])]).filter(([, v]) => Number.isFinite(v));
    p.clip(() => {
      if (floor !== null) p.line(t.truth, [[p.x0, p.y(floor)], [p.x0 + p.pw, p.y(floor)]], { width: 1.75, dash: [7, 4] });
      p.line(t.model, curve(train), { width: 1, alpha: film ? 0.4 : 0.75 });
      p.line(t.model, curve(val), { width: 2.5, alpha: film ? 0.4 : 1 });
      if (!film) return;
      const x = p.x(frame.cursor);
      p.line(t.model, curve(val).filter(([v]) => v <= x), { width: 2.5 });
      p.line(t.text, [[x, p.y0], [x, p.y0 + p.ph]], { width: 1.5 });
    });
    if (floor !== null) {
      const text = `entropy ${thin(floor, 3)} nats`;
      p.label(text, p.x0 + 8, p.y(floor) + 5, t.truth, { weight: 600, base: "top", halo: t.page });
    }
    const head = curve(val).at(seen - 1 - n);
    if (head) p.ring(...head, 2, t.model, 3);
    this.ends(p, seen, train, val);
    return moving;
  }

  // Lowest and highest loss to show: the strip zooms in while the loss falls, so that what is left stays visible.
  reach(train, val, floor) {
    let lo = floor ?? Infinity, hi = -Infinity, newest = NaN;
    for (let i = 0; i < train.length; i++) for (const v of [train[i], val[i]]) if (Number.isFinite(v)) {
      [lo, hi, newest] = [Math.min(lo, v), Math.max(hi, v), v];
    }
    if (hi === -Infinity) return floor === null ? [0, 1] : [floor, floor + 1];
    return [lo, Math.max(lo + 1e-3, Math.min(hi, lo + Math.max(8 * (newest - lo), 0.25 * (hi - lo))))];
  }

  // names at the ends of the curves instead of a legend, kept apart where the curves meet
  ends(p, n, train, val) {
    if (!n) return;
    const t = this.theme, x = p.x0 + p.pw + 9, at = (v) => clamp(p.y(v), p.y0 + 6, p.y0 + p.ph - 6);
    const a = val[n - 1], b = train[n - 1];
    let ya = Number.isFinite(a) ? at(a) : null, yb = Number.isFinite(b) ? at(b) : null;
    if (ya !== null && yb !== null && Math.abs(ya - yb) < 15) {
      const middle = clamp((ya + yb) / 2, p.y0 + 14, p.y0 + p.ph - 14), up = ya <= yb ? -7.5 : 7.5;
      [ya, yb] = [middle + up, middle - up];
    }
    if (yb !== null) p.label(`train ${thin(b, 3)}`, x, yb, t.model, { base: "middle" });
    if (ya !== null) p.label(`validation ${thin(a, 3)}`, x, ya, t.model, { base: "middle", weight: 650 });
  }

  find(frame) {
    const at = this.pointer;
    if (!at || at.name === "loss") return -1;
    const xy = at.name === "data" ? (this.shows("data") ? this.scene.points : null) : frame.latent;
    return xy ? this.plane[at.name].nearest(xy, at.x, at.y) : -1;
  }

  showTip(frame, hover) {
    const at = this.pointer, text = at ? this.words(frame, at, hover) : "";
    this.tip.hidden = !text;
    if (!text) return;
    if (this.tip.textContent !== text) this.tip.textContent = text;
    const box = this.root.getBoundingClientRect(), c = this.canvas[at.name].getBoundingClientRect();
    const left = c.left - box.left + at.x, flip = left > box.width - 220;
    this.tip.style.transform = `translate(${Math.round(left + (flip ? -14 : 14))}px, ${Math.round(c.top - box.top + at.y + 12)}px)` + (flip ? " translateX(-100%)" : "");
  }

  words(frame, at, hover) {
    const p = this.plane[at.name];
    if (!p.has(at.x, at.y)) return "";
    const [x, y] = p.at(at.x, at.y);
    if (at.name === "loss") {
      const { step, train, val } = frame.loss;
      let best = -1;
      for (let i = 0; i < step.length; i++) if (best < 0 || Math.abs(step[i] - x) < Math.abs(step[best] - x)) best = i;
      if (best < 0) return "";
      p.line(this.theme.muted, [[p.x(step[best]), p.y0], [p.x(step[best]), p.y0 + p.ph]], { dash: [2, 3] });
      return `step ${thin(step[best])}\nvalidation ${thin(val[best], 3)}\ntrain ${thin(train[best], 3)} ${this.scene.unit}`.trim();
    }
    const { points, axes } = this.scene, pair = (a, b) => `${thin(a, 2)}, ${thin(b, 2)}`;
    if (hover >= 0) {
      const z = frame.latent, r = z && Math.hypot(z[2 * hover], z[2 * hover + 1]);
      return `data ${pair(points[2 * hover], points[2 * hover + 1])}` + (z ? `\nlatent ${pair(z[2 * hover], z[2 * hover + 1])}\nradius ${thin(r, 2)}` : "");
    }
    if (at.name === "latent") return `latent ${pair(x, y)}\nradius ${thin(Math.hypot(x, y), 2)}`;
    const place = `${axes[0]} ${thin(x, 2)}\n${axes[1]} ${thin(y, 2)}`;
    if (!frame.density || !this.shows("density") || this.scene.n_features < 2) return place;
    const side = frame.side, v = this.scene.window, cell = (u, lo, hi) => clamp(Math.floor(((u - lo) / (hi - lo)) * side), 0, side - 1);
    const value = frame.density[cell(y, v[2], v[3]) * side + cell(x, v[0], v[1])];
    return place + (Number.isFinite(frame.densityMax) ? `\ndensity ${((value / 255) * frame.densityMax).toPrecision(2)}` : "");
  }

  // the findings in words: beside the pictures, and as their alternative texts
  tell(frame) {
    const { scene } = this, { step, val, train } = frame.loss, n = step.length;
    const newest = n ? (Number.isFinite(val[n - 1]) ? val[n - 1] : train[n - 1]) : NaN, now = frame.step ?? (n ? step[n - 1] : 0);
    const left = scene.entropy === null || !n ? "" : gap(newest - scene.entropy, scene.unit);
    const loss = n ? `step ${thin(now)} of ${thin(scene.n_steps)}, validation ${`${thin(newest, 3)} ${scene.unit}`.trim()}${left && ", " + left}` : "not trained yet";
    let inside = "";
    if (frame.latent && scene.latent_is_gaussian) {
      const flat = scene.n_features < 2;
      let count = 0, all = 0;
      for (let i = 0; i < frame.latent.length; i += 2) {
        const r = flat ? Math.abs(frame.latent[i]) : Math.hypot(frame.latent[i], frame.latent[i + 1]);
        if (Number.isFinite(r)) { all++; count += r < 2; }
      }
      inside = `${thin((100 * count) / Math.max(1, all), 1)} % within ${flat ? "2 of zero" : "radius 2"}; a Gaussian has ${INSIDE_TWO[flat ? 1 : 2].toFixed(1)} %`;
    }
    const put = (e, text) => { if (e.textContent !== text) e.textContent = text; };
    put(this.note.loss, loss);
    put(this.note.latent, inside);
    this.canvas.data.ariaLabel = `Data space: ${thin(scene.points_shape[0])} data points` + (frame.density ? " over the learned density" : "") + `; ${loss}.`;
    this.canvas.latent.ariaLabel = `Latent space: ${inside || (frame.latent ? "the data points' places" : "no points yet")}.`;
    this.canvas.loss.ariaLabel = `Loss: ${loss}.`;
  }
}

// index of the last step that is not after `now`; steps rise
function lastUpTo(step, now) {
  let i = step.length - 1;
  while (i >= 0 && step[i] > now + 0.5) i--;
  return i;
}

const gap = (d, unit) => (d >= 0 ? `${thin(d, 3)} ${unit} above the entropy` : `${thin(-d, 3)} ${unit} below the entropy of the density`);
