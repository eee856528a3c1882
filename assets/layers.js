// The way through the layers: points and a lattice travel from data space to latent space and back.

const VOLUME_END = 2.5; // nats of log volume change at the ends of the colour scale, or more where columns are many
const VEIL = 0.6; // opacity of the cells, so that the points stay in front

function layers({ data, parentElement, setStateValue }, scene) {
  const L = (parentElement.__layers ??= startLayers(parentElement, scene)), now = unpack(data);
  L.report = (name, value) => setStateValue(name, value);
  L.theme = null; // the theme may have changed
  if (L.scene !== scene) L.load(scene, now);
  else if (now.row !== L.given) L.row = now.row; // chosen elsewhere on the page
  L.given = now.row;
  L.wake();
}

function startLayers(parent, first) {
  const chip = (text, on) => make("button", { cls: "chip", type: "button", text, "aria-pressed": String(on) });
  const L = { chips: { points: chip("Points", true), grid: chip("Grid", true), volume: chip("Volume change", true) } };
  L.canvas = make("canvas", { role: "img", tabindex: "0" });
  L.title = make("strong");
  L.note = make("div", { cls: "note below" });
  L.player = new Player({
    label: "Layer", seconds: 1, bounce: true, hold: 0.35, moved: () => L.wake(),
    released: (layer) => { if (layer !== L.toldLayer) L.report("layer", (L.toldLayer = layer)); },
    words: (t) => (!L.scene ? "" : t < 0.02 ? "data space" : `${Math.abs(t - Math.round(t)) < 0.02 ? "after" : "into"} layer ${Math.ceil(t - 0.02)} of ${L.last}`),
  });
  const chips = make("span", { cls: "chips", role: "group", "aria-label": "Show" }, ...Object.values(L.chips));
  L.root = make("div", { cls: "fl one" }, make("div", { cls: "head" }, L.title, chips), L.canvas, L.player.bar, L.note);
  mountInto(parent, L.root);
  L.plane = new Plane(L.canvas, [6, 2, 38, 42]);
  L.stat = globalThis.__flowlab_layers = { frames: 0, draw_ms: 0 };
  L.wake = () => { L.request ||= requestAnimationFrame(() => { L.request = 0; drawLayers(L); }); };
  for (const b of Object.values(L.chips)) b.onclick = () => {
    b.setAttribute("aria-pressed", String(b.getAttribute("aria-pressed") !== "true"));
    L.wake();
  };
  L.canvas.onpointermove = (e) => { L.pointer = [e.offsetX, e.offsetY]; L.wake(); };
  L.canvas.onpointerleave = () => { L.pointer = null; L.wake(); };
  L.canvas.onclick = (e) => choose(L, L.plane.nearest(L.out, e.offsetX, e.offsetY, 14));
  L.canvas.onkeydown = (e) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
    if (by) { choose(L, ((L.row ?? -by) + by + L.m) % L.m); e.preventDefault(); }
  };
  new ResizeObserver(L.wake).observe(L.root);
  L.load = (scene, { layer, row }) => {
    const [count, m] = scene.positions_shape;
    Object.assign(L, { scene, m, last: count - 1, row, toldLayer: layer, theme: null });
    L.out = new Float32Array(2 * m);
    L.lattice = scene.grid ? new Float32Array(scene.grid.length / count) : null;
    L.gridNats = scene.grid_volume ? new Float32Array(scene.grid_volume.length / count) : null;
    L.chips.grid.hidden = !scene.grid;
    L.chips.volume.hidden = !L.gridNats && !scene.volume;
    L.nats = scene.volume ? new Float32Array(m) : null;
    L.end = L.gridNats || !scene.volume ? VOLUME_END : volumeEnd(scene.volume);
    L.views = windows(scene);
    L.player.seconds = 0.9 * L.last;
    L.player.setLast(L.last, layer ?? 0);
  };
  return L;
}

// A round number that nearly all log volume changes stay below.
function volumeEnd(volume) {
  const sizes = Float32Array.from(volume, Math.abs).filter(Number.isFinite).sort(), most = sizes[Math.floor(0.95 * (sizes.length - 1))];
  const power = 10 ** Math.floor(Math.log10(most));
  return Math.max(VOLUME_END, power * [1, 2, 2.5, 5, 10].find((v) => v * power >= most)) || VOLUME_END;
}

function choose(L, row) {
  L.row = row < 0 || row === L.row ? null : row;
  L.report("row", L.row);
  L.wake();
}

// A square window for each layer, and one for all where they are alike: a window that stands still shows more.
function windows({ positions, positions_shape: [count, m] }) {
  const reach = (xs) => { xs.sort(); return [xs[Math.floor(0.005 * m)], xs[Math.ceil(0.995 * m) - 1]]; };
  const views = Array.from({ length: count }, (_, l) => {
    const axis = (c) => reach(Float32Array.from({ length: m }, (_, i) => positions[2 * (l * m + i) + c]).filter(Number.isFinite));
    const [x0, x1] = axis(0), [y0, y1] = axis(1), half = Math.max(x1 - x0, y1 - y0, 1e-6) * 0.66;
    return [(x0 + x1) / 2 - half, (x0 + x1) / 2 + half, (y0 + y1) / 2 - half, (y0 + y1) / 2 + half];
  });
  const x0 = Math.min(...views.map((v) => v[0])), x1 = Math.max(...views.map((v) => v[1]));
  const y0 = Math.min(...views.map((v) => v[2])), y1 = Math.max(...views.map((v) => v[3]));
  const half = Math.max(x1 - x0, y1 - y0) / 2, least = Math.min(...views.map((v) => v[1] - v[0]));
  if (2 * half > 3 * least) return views;
  return views.map(() => [(x0 + x1) / 2 - half, (x0 + x1) / 2 + half, (y0 + y1) / 2 - half, (y0 + y1) / 2 + half]);
}

function drawLayers(L) {
  const began = performance.now(), { scene: s, plane: p } = L, t = L.player.position, i = Math.floor(t), j = Math.min(i + 1, L.last), f = t - i;
  if (!L.theme) styleLayers(L);
  if (!p.fit()) return;
  const between = (all, out) => mix(layerOf(all, out.length, i), layerOf(all, out.length, j), f, out);
  between(s.positions, L.out);
  if (L.lattice) between(s.grid, L.lattice);
  if (L.gridNats) between(s.grid_volume, L.gridNats);
  if (L.nats) between(s.volume, L.nats);
  p.view = L.views[i].map((v, k) => v + (L.views[j][k] - v) * f);
  const on = (name) => L.chips[name].getAttribute("aria-pressed") === "true" && !L.chips[name].hidden;
  p.clip((g) => {
    if (L.lattice) drawLattice(L, on("grid"), on("volume") && L.gridNats);
    circles(L, clamp(t - L.last + 1, 0, 1));
    const tinted = on("volume") && L.nats && !L.gridNats;
    if (on("points")) p.dots(L.out, tinted ? (k) => L.tints[tint(L.nats[k], L.end)] : L.marks.of);
    if (L.row !== null && L.row !== undefined && L.row < L.m) trail(L, t);
    const near = L.pointer ? p.nearest(L.out, ...L.pointer) : -1;
    if (near >= 0) p.ring(p.x(L.out[2 * near]), p.y(L.out[2 * near + 1]), 7, L.theme.text);
    L.canvas.style.cursor = near >= 0 ? "pointer" : "default";
  });
  const [from, to] = s.axes, end = (k) => (t < 0.5 ? from[k] : t > L.last - 0.5 ? to[k] : `coordinate ${k + 1}`);
  p.axes(L.theme, end(0), end(1));
  if (on("volume")) volumeScale(L);
  tellLayers(L, t, s);
  L.stat.frames++;
  L.stat.draw_ms += performance.now() - began;
  Object.assign(L.stat, { position: t, playing: L.player.playing, fps: L.player.rate(), points: L.m, row: L.row });
}

const layerOf = (all, size, l) => all.subarray(l * size, (l + 1) * size);

function tellLayers(L, t, s) {
  const k = Math.round(t), name = s.names[k] ? `: ${s.names[k]}` : "";
  const title = k === 0 ? "Data space" : k === L.last ? "Latent space" : `After layer ${k}${name}`;
  if (L.title.textContent !== title) L.title.textContent = title;
  let note = L.row === null || L.row === undefined ? "Click a point to follow it and to read its receipt." : "";
  if (!note) {
    note = `Row at ${thin(L.out[2 * L.row], 2)}, ${thin(L.out[2 * L.row + 1], 2)}`;
    if (L.nats) note += `; log volume change so far ${thin(L.nats[L.row], 3)} nats`;
  }
  if (L.note.textContent !== note) L.note.textContent = note;
  L.canvas.ariaLabel = `${title}. ${L.m} points${L.lattice ? " and a grid that the layers bend" : ""}. ${note}`;
}

function styleLayers(L) {
  const t = (L.theme = themeOf(L.root));
  // unchanged: hardly seen where cells are filled, plain where it is the points that are tinted
  const calm = L.gridNats ? rgb(t.page).map((v, c) => v * 0.8 + rgb(t.text)[c] * 0.2) : rgb(t.data), ends = [rgb(t.model), calm, rgb(t.alarm)];
  // 0: most contracted (blue), 32: unchanged, 64: most expanded (vermilion)
  L.tintColors = Array.from({ length: 65 }, (_, i) => {
    const [a, b, f] = i < 32 ? [ends[0], ends[1], i / 32] : [ends[1], ends[2], (i - 32) / 32];
    return `rgb(${a.map((v, c) => Math.round(v + (b[c] - v) * f)).join(" ")})`;
  });
  L.tints = L.tintColors.map((c) => markSprite(c, t.halo, 1.8));
  L.marks = new Marks(t, L.scene, L.m);
}

const tint = (nats, end = VOLUME_END) => clamp(Math.round(32 + (32 * nats) / end), 0, 64) || 0;

// Upright lines, then as many level ones; the cells between upright lines are filled by the log-determinant so far.
function drawLattice(L, lines, fill) {
  const { plane: p, lattice: q, gridNats: nats, scene: s } = L, g = p.g, [, count, k] = s.grid_shape, uprights = count / 2;
  const X = new Float32Array(count * k), Y = new Float32Array(count * k);
  for (let v = 0; v < count * k; v++) { X[v] = p.x(q[2 * v]); Y[v] = p.y(q[2 * v + 1]); }
  if (fill) {
    const paths = Array(65).fill(null), step = Math.max(1, Math.round((k - 1) / (uprights - 1)));
    for (let r = 0; r + 1 < uprights; r++) for (let c = 0; c + 1 < k; c += step) {
      const a = r * k + c, b = r * k + Math.min(c + step, k - 1), corners = [a, b, b + k, a + k];
      if (!corners.some((v) => p.has(X[v], Y[v]))) continue;
      const path = (paths[tint((nats[a] + nats[b] + nats[b + k] + nats[a + k]) / 4)] ??= new Path2D());
      // along the lines, so that neighbouring cells meet however far they bend
      for (let v = a; v <= b; v++) v === a ? path.moveTo(X[v], Y[v]) : path.lineTo(X[v], Y[v]);
      for (let v = b + k; v >= a + k; v--) path.lineTo(X[v], Y[v]);
    }
    g.globalAlpha = VEIL;
    paths.forEach((path, i) => { if (path) { g.fillStyle = L.tintColors[i]; g.fill(path); } });
    g.globalAlpha = 1;
  }
  if (!lines) return;
  g.beginPath();
  for (let r = 0; r < count; r++) for (let c = 0; c < k; c++) c ? g.lineTo(X[r * k + c], Y[r * k + c]) : g.moveTo(X[r * k + c], Y[r * k + c]);
  g.strokeStyle = L.theme.faint;
  g.lineWidth = 0.8;
  g.stroke();
}

function circles(L, alpha) {
  if (alpha <= 0) return;
  const { plane: p, theme: t } = L, g = p.g;
  g.save();
  g.strokeStyle = t.truth;
  g.lineWidth = 1.5;
  g.setLineDash([5, 4]);
  for (const r of [1, 2, 3]) {
    g.globalAlpha = alpha * (1 - 0.2 * r);
    g.beginPath();
    g.ellipse(p.x(0), p.y(0), p.x(r) - p.x(0), p.y(0) - p.y(r), 0, 0, TAU);
    g.stroke();
  }
  g.restore();
}

// the way of the chosen row through all layers, walked so far in full strength
function trail(L, t) {
  const { plane: p, scene: s, theme, row, m } = L, at = (l) => [p.x(s.positions[2 * (l * m + row)]), p.y(s.positions[2 * (l * m + row) + 1])];
  const here = [p.x(L.out[2 * row]), p.y(L.out[2 * row + 1])], path = Array.from({ length: L.last + 1 }, (_, l) => at(l));
  p.line(theme.text, path, { width: 1, dash: [2, 4], alpha: 0.5 });
  p.line(theme.text, [...path.slice(0, Math.floor(t) + 1), here], { width: 1.75 });
  for (const [x, y] of path) p.ring(x, y, 2, theme.text, 1);
  p.ring(...here, 7, theme.text, 2.5);
}

function volumeScale(L) {
  const { plane: p, theme: t } = L, w = 130, x = p.x0 + p.pw - w - 12, y = p.y0 + 24, halo = t.page;
  p.g.fillStyle = t.page;
  p.g.fillRect(x, y, w, 7);
  p.g.globalAlpha = L.gridNats ? VEIL : 1;
  L.tintColors.forEach((c, i) => { p.g.fillStyle = c; p.g.fillRect(x + i * 2, y, 2, 7); });
  p.g.globalAlpha = 1;
  const say = (text, px, align) => p.label(text, px, y - 4, t.text, { align, size: 11, halo });
  say("log volume change (nats)", x + w, "right");
  for (const [text, f, align] of [[`\u2212${thin(L.end, L.end % 1 && 1)}`, 0, "left"], ["0", 0.5, "center"], [`+${thin(L.end, L.end % 1 && 1)}`, 1, "right"]]) {
    p.label(text, x + w * f, y + 18, t.text, { align, size: 11, halo });
  }
}

export default provide("layers", layers);
