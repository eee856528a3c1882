// @ts-check
// What every component of FlowLab shares: reading packed arrays, colours of the theme, numbers, elements.

/**
 * What Streamlit hands to a component's default export.
 * @typedef {object} Component
 * @property {Uint8Array} data bytes of flowlab/dashboard/canvas/component.py `pack`
 * @property {HTMLElement | ShadowRoot} parentElement
 * @property {(name: string, value: unknown) => void} setStateValue
 */

/**
 * Colours of one theme under the names of flowlab/plots/theme.py.
 * @typedef {object} Colors
 * @property {string} data
 * @property {string} model
 * @property {string} truth
 * @property {string} anomaly
 * @property {string} second
 * @property {string} third
 * @property {string} text
 * @property {string} background
 * @property {string[]} density from low to high, after the page's own colour
 */

/**
 * What flowlab/dashboard/canvas/component.py adds to the scene of every component.
 * @typedef {object} SceneBase
 * @property {string} scene digest of the scene
 * @property {{ light: Colors, dark: Colors }} colors
 * @property {string} css
 */

/**
 * The colours to draw with: those of FlowLab's theme, and shades between the page's text and background.
 * @typedef {object} Theme
 * @property {string} data
 * @property {string} model
 * @property {string} truth
 * @property {string} anomaly
 * @property {string} second
 * @property {string} third
 * @property {boolean} dark
 * @property {string} page the background
 * @property {string} text
 * @property {string} muted
 * @property {string} faint
 * @property {string} frame
 * @property {string} grid
 * @property {string} halo around marks, so that they stand out from a density
 * @property {Uint32Array} lut 256 density colours as pixels (ABGR)
 * @property {string} font
 * @property {string} id changes when the page's theme does
 * @property {(turn: number) => string} hue colour of a direction, 0 <= turn < 1
 */

export const TAU = 2 * Math.PI;
export const reducedMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** @param {number} v @param {number} lo @param {number} hi */
export const clamp = (v, lo, hi) => Math.min(hi, Math.max(lo, v));

/**
 * Bytes of flowlab/dashboard/canvas/component.py `pack` -> {header fields..., name: typed array, name_shape: [...]}.
 * @param {Uint8Array} bytes
 * @returns {any}
 */
export function unpack(bytes) {
  const own = new Uint8Array(bytes); // a buffer of its own, so that the offsets are aligned
  const n = new DataView(own.buffer).getUint32(0, true);
  const message = JSON.parse(new TextDecoder().decode(own.subarray(4, 4 + n)));
  const kinds = { f4: Float32Array, f2: Uint16Array, u1: Uint8Array, u4: Uint32Array };
  for (const [name, kind, shape, offset] of message.arrays) {
    const size = shape.reduce((/** @type {number} */ a, /** @type {number} */ b) => a * b, 1);
    const raw = new kinds[/** @type {keyof typeof kinds} */ (kind)](own.buffer, offset, size);
    message[name] = kind === "f2" ? fromHalf(/** @type {Uint16Array} */ (raw)) : raw;
    message[`${name}_shape`] = shape;
  }
  return message;
}

/**
 * IEEE 754 half floats as float32; infinities become NaN.
 * @param {Uint16Array} raw
 */
export function fromHalf(raw) {
  const values = new Float32Array(raw.length);
  for (let i = 0; i < raw.length; i++) {
    const exponent = (raw[i] >> 10) & 31;
    const mantissa = raw[i] & 1023;
    let v = NaN;
    if (exponent === 0) v = 2 ** -14 * (mantissa / 1024);
    else if (exponent < 31) v = 2 ** (exponent - 15) * (1 + mantissa / 1024);
    values[i] = raw[i] & 0x8000 ? -v : v;
  }
  return values;
}

/**
 * The carrier element's function: it keeps its scene and `update` where the element that changes finds them.
 * @template Scene
 * @param {string} name of the component
 * @param {(component: Component, scene: Scene) => void | (() => void)} update
 * @returns {(component: { data: Uint8Array }) => void}
 */
export function provide(name, update) {
  const holder = /** @type {{ __flowlab?: Record<string, any> }} */ (globalThis);
  holder.__flowlab ??= {};
  holder.__flowlab[name] ??= { scenes: new Map(), waiting: [] };
  const entry = holder.__flowlab[name];
  return ({ data }) => {
    const scene = unpack(data);
    entry.update = update;
    entry.scenes.delete(scene.scene);
    entry.scenes.set(scene.scene, scene);
    if (entry.scenes.size > 12) entry.scenes.delete(entry.scenes.keys().next().value);
    for (const wake of entry.waiting.splice(0)) wake();
  };
}

/**
 * The state of the component in `parent`; `start` makes it at the first update.
 * @template State
 * @param {HTMLElement | ShadowRoot} parent
 * @param {() => State} start
 * @returns {State}
 */
export function stateOf(parent, start) {
  const holder = /** @type {{ __flowlab?: State }} */ (/** @type {unknown} */ (parent));
  holder.__flowlab ??= start();
  return holder.__flowlab;
}

/**
 * Dispatch "flowlab:draw" from a component's root after each drawing; it bubbles to the window.
 * @param {HTMLElement} root
 * @param {{ component: string } & Record<string, unknown>} detail what is on the canvas now
 */
export function announce(root, detail) {
  root.dispatchEvent(new CustomEvent("flowlab:draw", { bubbles: true, composed: true, detail }));
}

/** @type {OffscreenCanvasRenderingContext2D | undefined} */
let probe;

/**
 * Red, green and blue (0..255) of any CSS colour; grey for what is none.
 * @param {string} text
 */
export function rgb(text) {
  probe ??= /** @type {OffscreenCanvasRenderingContext2D} */ (
    new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true })
  );
  probe.fillStyle = "gray";
  probe.fillStyle = text;
  probe.fillRect(0, 0, 1, 1);
  return [...probe.getImageData(0, 0, 1, 1).data.slice(0, 3)];
}

/**
 * 256 pixels (ABGR) evenly spaced along a line of colours.
 * @param {number[][]} stops at least two of [red, green, blue]
 */
export function lookupTable(stops) {
  const table = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    const f = (i / 255) * (stops.length - 1);
    const a = Math.min(stops.length - 2, Math.floor(f));
    const [r, g, b] = [0, 1, 2].map((c) => Math.round(stops[a][c] * (1 - (f - a)) + stops[a + 1][c] * (f - a)));
    table[i] = (255 << 24) | (b << 16) | (g << 8) | r;
  }
  return table;
}

/** @param {number} pixel ABGR */
export const pixelColor = (pixel) => `rgb(${pixel & 255} ${(pixel >> 8) & 255} ${(pixel >> 16) & 255})`;

/**
 * The theme of the page around `element`.
 * @param {Element} element
 * @param {SceneBase["colors"]} colors
 * @returns {Theme}
 */
export function themeOf(element, colors) {
  const css = getComputedStyle(element);
  /** @param {string} name @param {string} fallback */
  const get = (name, fallback) => css.getPropertyValue(name).trim() || fallback;
  const page = get("--st-background-color", colors.light.background);
  const back = rgb(page);
  const dark = 0.2126 * back[0] + 0.7152 * back[1] + 0.0722 * back[2] < 110;
  const { data, model, truth, anomaly, second, third, ...own } = dark ? colors.dark : colors.light;
  const text = get("--st-text-color", own.text);
  const ink = rgb(text);
  /** @param {number} t */
  const mixed = (t) => `rgb(${ink.map((v, i) => Math.round(v * t + back[i] * (1 - t))).join(" ")})`;
  return {
    ...{ data, model, truth, anomaly, second, third, dark, page, text },
    lut: lookupTable([back, ...own.density.map(rgb)]),
    halo: dark ? "rgb(6 10 20 / 0.75)" : "rgb(255 255 255 / 0.8)",
    muted: mixed(0.72),
    faint: mixed(0.32),
    grid: mixed(0.1),
    frame: mixed(0.24),
    font: get("--st-font", "sans-serif"),
    id: page + text,
    // hues of one lightness, so that no direction looks more important than another
    hue: (turn) => `oklch(${dark ? "0.78 0.13" : "0.56 0.15"} ${Math.round(turn * 360)})`,
  };
}

/**
 * About `n` round numbers between `lo` and `hi`, each with its text.
 * @param {number} lo @param {number} hi @param {number} n
 * @returns {[number, string][]}
 */
export function ticks(lo, hi, n) {
  const raw = (hi - lo) / n;
  const power = 10 ** Math.floor(Math.log10(raw));
  const rest = raw / power;
  const step = power * (rest > 5 ? 10 : rest > 2 ? 5 : rest > 1 ? 2 : 1);
  const places = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  /** @type {[number, string][]} */
  const placed = [];
  for (let v = Math.ceil(lo / step - 1e-9) * step; v <= hi + step * 1e-9; v += step) {
    const value = Math.abs(v) < step / 1e6 ? 0 : v;
    placed.push([value, value && places > 5 ? number(value, 2) : thin(value, places)]);
  }
  return placed;
}

/**
 * A number with so many decimals, at most 15: 12 345.678 with thin spaces between groups of three digits and a true
 * minus sign; from 1e7 on as 3.1e7. Numbers are written as by flowlab/formatting.py, which a test compares.
 * @param {number} v @param {number} [places]
 */
export function thin(v, places = 0) {
  if (!Number.isFinite(v)) return "\u2013";
  if (Math.abs(v) >= 1e7) return exponential(v);
  const [whole, rest] = Math.abs(v).toFixed(places).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, "\u2009");
  const text = grouped + (rest ? `.${rest}` : "");
  return (v < 0 && /[1-9]/.test(text) ? "\u2212" : "") + text;
}

/**
 * A number with four significant digits, or with as many as asked for: 0.25, 1 235, 3.1e\u22125.
 * @param {number} v @param {number} [digits]
 */
export function number(v, digits = 4) {
  if (!Number.isFinite(v)) return "\u2013";
  const size = Math.abs(v);
  if (v && (size < 1e-3 || size >= 1e7)) return exponential(v);
  const rounded = Number(size.toPrecision(digits));
  const sign = v < 0 ? "\u2212" : "";
  return sign + (rounded >= 1000 ? thin(size) : String(rounded));
}

/** @param {number} v */
const exponential = (v) => v.toExponential(1).replace("e+", "e").replaceAll("-", "\u2212");

/** A share as a percentage with one decimal. @param {number} share */
export const percent = (share) => `${thin(100 * share, 1)} %`;

/** "1 row", "3 rows". @param {number} n @param {string} one */
export const plural = (n, one) => `${thin(n)} ${n === 1 ? one : `${one}s`}`;

/**
 * Least and greatest of the finite values, null where there are none.
 * @param {ArrayLike<number>} values
 * @returns {[number, number] | null}
 */
export function extent(values) {
  let [lo, hi] = [Infinity, -Infinity];
  for (let i = 0; i < values.length; i++) {
    const v = values[i];
    if (Number.isFinite(v)) [lo, hi] = [Math.min(lo, v), Math.max(hi, v)];
  }
  return lo > hi ? null : [lo, hi];
}

/**
 * Arrays a and b mixed by t, into `out` if it fits.
 * @param {ArrayLike<number>} a @param {ArrayLike<number>} b @param {number} t
 * @param {Float32Array | null} [out]
 */
export function mix(a, b, t, out) {
  const into = out?.length === a.length ? out : new Float32Array(a.length);
  for (let k = 0; k < a.length; k++) into[k] = a[k] + (b[k] - a[k]) * t;
  return into;
}

/**
 * Put a component's elements and style sheet in place. Streamlit fades what a slow rerun has not drawn yet; a canvas
 * draws itself and is not faded.
 * @param {HTMLElement | ShadowRoot} parent @param {HTMLElement} root @param {string} css
 */
export function mountInto(parent, root, css) {
  parent.append(make("style", { text: css }), root);
  const host = parent instanceof ShadowRoot ? parent.host : parent;
  const box = /** @type {HTMLElement | null} */ (host.closest("[data-testid=stElementContainer]"));
  box?.style.setProperty("opacity", "1", "important");
  box?.style.setProperty("transition", "none", "important");
}

/**
 * <tag class=cls attributes...>text or children; text only ever goes into text nodes.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string>} [options] `cls`, `text` and attributes
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, { cls, text, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  if (cls) element.className = cls;
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/**
 * Set an element's text where it differs, so that screen readers and selections are not disturbed.
 * @param {Element} element @param {string} text
 */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** @param {string} text @param {boolean} on */
export const toggleButton = (text, on) =>
  make("button", { cls: "chip", type: "button", text, "aria-pressed": String(on) });

/** @param {Element} button */
export const isPressed = (button) => button.getAttribute("aria-pressed") === "true";

/**
 * Move a tip beside a place in its parent: to the right of it, or to the left where `left` is beyond `flipAt`.
 * @param {HTMLElement} tip @param {number} left @param {number} top @param {number} flipAt
 */
export function placeTip(tip, left, top, flipAt) {
  const flip = left > flipAt;
  const to = `translate(${Math.round(left + (flip ? -14 : 14))}px, ${Math.round(top)}px)`;
  tip.style.transform = flip ? `${to} translateX(-100%)` : to;
}

/**
 * What paints on a canvas with a brush.
 * @typedef {object} Painter
 * @property {boolean} hover whether the brush is shown
 * @property {boolean} drawing whether a stroke is under way
 * @property {(e: PointerEvent) => void} place bring the brush to the pointer
 * @property {(right: number, down: number) => void} move the brush by steps, each -1, 0 or 1
 * @property {() => void} begin a stroke
 * @property {() => void} stroke paint from the last place of the brush to where it is
 * @property {() => void} send the stroke is over
 * @property {() => void} wake draw soon
 */

/**
 * Strokes by a pointer; arrow keys move the brush, and the space bar paints once.
 * @param {HTMLCanvasElement} canvas @param {Painter} painter
 */
export function listenToStrokes(canvas, painter) {
  const end = () => {
    if (painter.drawing) painter.send();
    painter.drawing = false;
  };
  canvas.onpointerdown = (e) => {
    canvas.setPointerCapture(e.pointerId);
    painter.place(e);
    painter.begin();
    painter.drawing = true;
    painter.stroke();
  };
  canvas.onpointermove = (e) => {
    painter.place(e);
    painter.hover = true;
    if (painter.drawing) painter.stroke();
    painter.wake();
  };
  canvas.onpointerleave = () => {
    painter.hover = false;
    painter.wake();
  };
  canvas.onpointerup = end;
  canvas.onpointercancel = end;
  canvas.onkeydown = (e) => {
    /** @type {Record<string, [number, number]>} */
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const by = moves[e.key];
    if (by) painter.move(...by);
    else if (e.key === " ") {
      painter.begin();
      painter.stroke();
      painter.send();
    } else return;
    painter.hover = true;
    e.preventDefault();
    painter.wake();
  };
}
