// Linked brushing: a lasso in data space, in latent space or along the scores marks the same rows everywhere.

const BINS = 40;

function brush({ data, parentElement, setStateValue }, scene) {
  const B = (parentElement.__brush ??= startBrush(parentElement)), now = unpack(data);
  B.report = (rows) => setStateValue("rows", rows);
  B.theme = null; // the theme may have changed
  if (B.scene !== scene) loadBrush(B, scene);
  const text = String(now.rows);
  if (B.given !== text) mark(B, now.rows); // a choice made elsewhere on the page
  B.given = text;
  B.wake();
}

function startBrush(parent) {
  const B = { name: ["data", "latent", "score"], title: {}, canvas: {}, plane: {}, lasso: null };
  const panel = (name) => {
    B.title[name] = make("strong");
    B.canvas[name] = make("canvas", { role: "img", tabindex: name === "score" ? "0" : "-1" });
    return make("div", { cls: "stage" }, make("div", { cls: "head" }, B.title[name]), B.canvas[name]);
  };
  B.clear = make("button", { cls: "chip act", type: "button", text: "Clear" });
  B.highest = make("button", { cls: "chip act", type: "button", text: "Mark the highest 5 %" });
  B.labelled = make("button", { cls: "chip act", type: "button", text: "Mark labelled anomalies" });
  B.note = make("span", { cls: "note" });
  B.root = make("div", { cls: "fl three" }, make("div", { cls: "pair" }, ...B.name.map(panel)), make("div", { cls: "head" }, B.note, B.labelled, B.highest, B.clear));
  mountInto(parent, B.root);
  B.stat = globalThis.__flowlab_brush = { frames: 0 };
  B.wake = () => { B.request ||= requestAnimationFrame(() => { B.request = 0; drawBrush(B); }); };
  B.clear.onclick = () => settle(B, []);
  B.highest.onclick = () => settle(B, rowsWhere(B, (i) => B.scene.score[i] >= B.high));
  B.labelled.onclick = () => settle(B, rowsWhere(B, (i) => B.scene.labels[i]));
  for (const name of B.name) listen(B, name);
  B.canvas.score.onkeydown = (e) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
    if (by) {
      B.bound = clamp((B.bound ?? BINS) + by, 0, BINS);
      settle(B, rowsWhere(B, (i) => B.bin[i] >= B.bound), 300);
    } else if (e.key === "Escape") settle(B, []);
    else return;
    e.preventDefault();
  };
  new ResizeObserver(B.wake).observe(B.root);
  return B;
}

function listen(B, name) {
  const c = B.canvas[name];
  c.onpointerdown = (e) => {
    c.setPointerCapture(e.pointerId);
    B.lasso = { name, path: [[e.offsetX, e.offsetY]] };
  };
  c.onpointermove = (e) => {
    if (B.lasso?.name !== name) return;
    B.lasso.path.push([e.offsetX, e.offsetY]);
    mark(B, inside(B));
    B.wake();
  };
  c.onpointerup = c.onpointercancel = () => {
    if (B.lasso?.name !== name) return;
    const rows = B.lasso.path.length > 2 ? inside(B) : [];
    B.lasso = null;
    settle(B, rows);
  };
}

function settle(B, rows, wait = 0) {
  mark(B, rows);
  clearTimeout(B.quiet); // a held key is one choice
  B.quiet = setTimeout(() => B.report(rows), wait);
  B.wake();
}

function mark(B, rows) {
  B.marked = new Uint8Array(B.m);
  B.count = 0;
  for (const i of rows) if (i >= 0 && i < B.m) { B.marked[i] = 1; B.count++; }
}

const rowsWhere = (B, test) => Array.from({ length: B.m }, (_, i) => i).filter(test);

function inside(B) {
  const { name, path } = B.lasso, p = B.plane[name];
  if (name === "score") {
    const xs = path.map(([x]) => p.at(x, 0)[0]), lo = Math.min(...xs), hi = Math.max(...xs);
    return rowsWhere(B, (i) => B.shown[i] >= lo && B.shown[i] <= hi);
  }
  const xy = B.xy[name], px = path.map(([x]) => x), py = path.map(([, y]) => y);
  return rowsWhere(B, (i) => {
    const x = p.x(xy[2 * i]), y = p.y(xy[2 * i + 1]);
    let odd = false; // even-odd rule: how often a ray to the right meets the outline
    for (let a = 0, b = px.length - 1; a < px.length; b = a++) {
      if (py[a] > y !== py[b] > y && x < ((px[b] - px[a]) * (y - py[a])) / (py[b] - py[a]) + px[a]) odd = !odd;
    }
    return odd;
  });
}

function loadBrush(B, scene) {
  const m = scene.points_shape[0];
  Object.assign(B, { scene, m, xy: { data: scene.points, latent: scene.latent }, bound: null, theme: null });
  mark(B, []);
  B.given = null;
  B.canvas.latent.parentElement.hidden = !scene.latent;
  B.labelled.hidden = !scene.labels;
  const sorted = Float32Array.from(scene.score).filter(Number.isFinite).sort();
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))] ?? 0;
  B.high = at(0.95);
  let lo = at(0), hi = at(0.995);
  if (scene.threshold !== null) hi = Math.max(hi, scene.threshold + 0.05 * (scene.threshold - lo));
  if (!(hi > lo)) [lo, hi] = [lo - 0.5, lo + 0.5];
  B.shown = Float32Array.from(scene.score, (v) => clamp(v, lo, hi)); // far scores stand in the last bar
  B.bin = Uint8Array.from(B.shown, (v) => Math.min(BINS - 1, Math.floor((BINS * (v - lo)) / (hi - lo))));
  B.bars = new Uint32Array(BINS);
  for (const b of B.bin) B.bars[b]++;
  B.plane = { data: new Plane(B.canvas.data, [6, 2, 38, 42]), latent: new Plane(B.canvas.latent, [6, 2, 38, 42]), score: new Plane(B.canvas.score, [6, 2, 38, 42]) };
  B.plane.data.view = scene.window;
  B.plane.latent.view = [-4, 4, -4, 4];
  B.plane.score.view = [lo, hi, 0, 1.1 * Math.max(1, ...B.bars)];
  for (const [name, text] of Object.entries({ data: "Data space", latent: scene.latent_title, score: "Anomaly scores" })) B.title[name].textContent = text;
}

function drawBrush(B) {
  const { scene: s, plane: P } = B;
  if (!B.theme) {
    B.theme = themeOf(B.root);
    B.marks = new Marks(B.theme, s, B.m);
  }
  const t = B.theme;
  if (!B.name.filter((n) => n !== "latent" || s.latent).map((n) => P[n].fit()).every(Boolean)) return;
  for (const name of ["data", "latent"]) {
    const xy = B.xy[name], p = P[name];
    if (!xy) continue;
    p.clip((g) => {
      if (B.count) {
        g.globalAlpha = 0.16;
        p.dots(xy, B.marks.of);
        g.globalAlpha = 1;
        const none = { image: new OffscreenCanvas(1, 1), size: 0 };
        p.dots(xy, (i) => (B.marked[i] ? B.marks.of(i) : none));
      } else p.dots(xy, B.marks.of);
      if (name === "latent") for (const r of [1, 2, 3]) {
        g.beginPath();
        g.ellipse(p.x(0), p.y(0), p.x(r) - p.x(0), p.y(0) - p.y(r), 0, 0, TAU);
        g.strokeStyle = t.truth;
        g.setLineDash([5, 4]);
        g.stroke();
        g.setLineDash([]);
      }
    });
    p.axes(t, ...(name === "data" ? s.axes : s.latent_axes));
  }
  drawScores(B, P.score, t);
  if (B.lasso) {
    const p = P[B.lasso.name], { path } = B.lasso;
    if (B.lasso.name === "score") {
      const xs = path.map(([x]) => clamp(x, p.x0, p.x0 + p.pw));
      p.g.fillStyle = t.grid;
      p.g.fillRect(Math.min(...xs), p.y0, Math.max(...xs) - Math.min(...xs), p.ph);
    } else p.line(t.text, [...path, path[0]], { width: 1.5, dash: [4, 3] });
  }
  B.clear.disabled = !B.count;
  const words = B.count ? `${thin(B.count)} of ${thin(B.m)} rows marked (${thin((100 * B.count) / B.m, 1)} %)` : "Draw a loop around points, or drag along the scores, to mark the same rows everywhere.";
  if (B.note.textContent !== words) B.note.textContent = words;
  for (const name of B.name) B.canvas[name].ariaLabel = `${B.title[name].textContent}: ${thin(B.m)} rows. ${words}` + (name === "score" ? " Arrow keys mark the highest scores." : "");
  B.stat.frames++;
  B.stat.marked = B.count;
}

function drawScores(B, p, t) {
  const { scene: s } = B, some = new Uint32Array(BINS), [lo, hi] = p.view;
  for (let i = 0; i < B.m; i++) some[B.bin[i]] += B.marked[i];
  for (let b = 0; b < BINS; b++) {
    const x = p.x(lo + ((hi - lo) * b) / BINS), w = p.pw / BINS - 1, y = p.y(B.bars[b]);
    p.g.globalAlpha = B.count ? 0.35 : 1;
    p.g.fillStyle = t.data;
    p.g.fillRect(x + 0.5, y, w, p.y0 + p.ph - y);
    p.g.globalAlpha = 1;
    if (some[b]) {
      const top = p.y(some[b]);
      p.g.fillStyle = t.data;
      p.g.fillRect(x + 0.5, top, w, p.y0 + p.ph - top);
      p.line(t.text, [[x, top], [x + w + 1, top]], { width: 2 });
    }
  }
  p.axes(t, s.score_label, "rows");
  if (s.threshold === null) return;
  const x = p.x(s.threshold), right = x > p.x0 + p.pw - 90;
  p.line(t.text, [[x, p.y0], [x, p.y0 + p.ph]], { width: 2 });
  p.label(`threshold ${thin(s.threshold, 2)}`, x + (right ? -6 : 6), p.y0 + 14, t.text, { align: right ? "right" : "left", halo: t.page, weight: 600 });
}

export default provide("brush", brush);
