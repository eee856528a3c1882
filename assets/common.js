// What every component of FlowLab shares: reading packed arrays, colours of the theme, numbers, elements.

const PALETTE = {
  light: { data: "#56657A", model: "#2F5FD0", truth: "#00856A", alarm: "#D1490C", second: "#8A4FBF", third: "#A67C00" },
  dark: { data: "#A9B4C4", model: "#7EA2FF", truth: "#37C8A4", alarm: "#FF8A55", second: "#C79BF2", third: "#E0B84C" },
};
// One family for densities, after cividis (Nunez, Anderton & Renslow 2018); the first stop is the page itself.
const STOPS = {
  light: [null, "#F3EBC0", "#D9C983", "#A9A077", "#77777A", "#434E6C", "#14284F", "#001B40"],
  dark: [null, "#12244A", "#35456B", "#5F6575", "#8E8873", "#BFAE66", "#E8D35A", "#FFF2A6"],
};
const TAU = 2 * Math.PI;
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
