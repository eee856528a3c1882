// @ts-check
// The canvases without the dashboard: in a page that opens from disk, and in a notebook.

import { make, rgb } from "./common.js";

/**
 * One canvas: flowlab/serving/film.py `Film.parts`.
 * @typedef {object} Part
 * @property {string} component
 * @property {string} title above it
 * @property {string} scene what stays, as base64 of gzip of `pack`ed bytes
 * @property {string} change what a page sends with each update, likewise
 * @property {string} digest of the scene
 *
 * @typedef {object} Show
 * @property {Part[]} parts
 * @property {{ light: import("./common.js").Colors, dark: import("./common.js").Colors }} colors
 *
 * @typedef {(message: { data: Uint8Array }) => void} Carrier what a component's script exports
 */

/**
 * Show every part under `parent`; `told` hears what a canvas would report to a server. Gives a function that ends it.
 * @param {HTMLElement} parent @param {Show} show @param {Record<string, Carrier>} carriers by component
 * @param {(component: string, name: string, value: unknown) => void} [told]
 */
export async function present(parent, { parts, colors }, carriers, told = () => {}) {
  /** @type {(() => void)[]} */
  const draws = [];
  for (const { component, title, scene, change, digest } of parts) {
    const [kept, data] = await Promise.all([bytesOf(scene), bytesOf(change)]);
    carriers[component]({ data: kept });
    const holder = /** @type {{ __flowlab?: Record<string, any> }} */ (globalThis);
    const { update, scenes } = holder.__flowlab?.[component] ?? {};
    const own = scenes.get(digest);
    const host = make("div");
    parent.append(make("h2", { text: title }), host);
    const parentElement = host.attachShadow({ mode: "open" });
    const setStateValue = (/** @type {string} */ name, /** @type {unknown} */ value) => told(component, name, value);
    draws.push(() => {
      dress(host, colors);
      update({ data, parentElement, setStateValue }, own);
    });
  }
  const draw = () => {
    for (const one of draws) one();
  };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", draw);
  draw();
  return () => dark.removeEventListener("change", draw);
}

/** @param {string} text base64 of gzip */
async function bytesOf(text) {
  const packed = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/**
 * The colours that Streamlit's theme gives elsewhere, on the background that the element lies on.
 * @param {HTMLElement} host @param {Show["colors"]} colors
 */
function dress(host, colors) {
  const page = backgroundOf(host);
  const [r, g, b] = page ? rgb(page) : [];
  const isDark = page ? r + g + b < 384 : matchMedia("(prefers-color-scheme: dark)").matches;
  const { text, background, model } = isDark ? colors.dark : colors.light;
  const values = {
    "text-color": text,
    "background-color": page ?? background,
    "primary-color": model,
    "border-color": `color-mix(in srgb, ${text} 22%, ${page ?? background})`,
    "secondary-background-color": `color-mix(in srgb, ${text} 7%, ${page ?? background})`,
    font: "system-ui, sans-serif",
  };
  for (const [name, value] of Object.entries(values)) host.style.setProperty(`--st-${name}`, value);
}

/**
 * The background behind an element, undefined where nothing around it has one.
 * @param {Element} element
 */
function backgroundOf(element) {
  /** @type {Node | null} */
  let node = element;
  while (node) {
    if (node instanceof Element) {
      const color = getComputedStyle(node).backgroundColor;
      if (color !== "transparent" && !/^rgba\(.*, 0\)$/.test(color)) return color;
    }
    node = node instanceof ShadowRoot ? node.host : node.parentNode;
  }
  return undefined;
}
