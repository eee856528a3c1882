// @ts-check
// The keys of presenter mode: p enters it, Esc leaves it; space trains, pauses and plays, s makes one step, arrows and
// the keys of a presenter's remote control walk through the views of a page and on to the next page, or the steps of
// a lesson.

const PAGE = '[data-testid="stMain"] ';
const CHOICES = ["explore-view", "compare-section", "detect-tab", "table-tab"].map((name) => `[class*="${name}"]`);
const VIEWS = `${PAGE}:is(${CHOICES.join(", ")}) [role="radio"]`;

/** @type {{ on: boolean, report: (on: boolean) => void }} */
const present = { on: false, report: () => {} };

/**
 * @typedef {object} Component
 * @property {{ on: boolean }} data
 * @property {(name: string, value: unknown) => void} setTriggerValue
 */

/** @param {Component} component */
export default function update({ data, setTriggerValue }) {
  const holder = /** @type {{ __flowlab_keys?: typeof present }} */ (/** @type {unknown} */ (window));
  if (!holder.__flowlab_keys) {
    holder.__flowlab_keys = present;
    addEventListener("keydown", (e) => key(e, holder.__flowlab_keys ?? present));
  }
  holder.__flowlab_keys.on = data.on;
  document.documentElement.classList.toggle("presenting", data.on);
  holder.__flowlab_keys.report = (on) => setTriggerValue("present", on);
}

/** @param {KeyboardEvent} e @param {typeof present} now */
function key(e, now) {
  const target = /** @type {HTMLElement} */ (e.composedPath()[0]);
  const types = target.matches?.("input:not([type=range]):not([type=radio]):not([type=checkbox]), textarea, select");
  if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || types || target.isContentEditable) return;
  if (document.querySelector('[role="dialog"]')) return;
  const action = now.on ? presented(e.key, target, now) : e.key === "p" && (() => now.report(true));
  if (!action) return;
  e.preventDefault();
  action();
}

/**
 * What a key does in presenter mode, if anything.
 * @param {string} name @param {HTMLElement} target @param {typeof present} now
 */
function presented(name, target, now) {
  const holds = target.matches?.('[type="range"], [role="slider"], canvas');
  const presses = target.matches?.("button, a, summary, [type=radio], [type=checkbox]");
  if (name === "Escape" && document.fullscreenElement) return () => document.exitFullscreen();
  if (name === "Escape" || name === "p") return () => now.report(false);
  if (name === "s") return () => press(`${PAGE}[class*="st-key-"][class*="-One-step"] button`);
  if (name === " " && !presses) return () => play() || press(`${PAGE}[class*="st-key-train-"] button[kind="primary"]`);
  if (name === "PageDown" || (name === "ArrowRight" && !holds)) return () => walk(1);
  if (name === "PageUp" || (name === "ArrowLeft" && !holds)) return () => walk(-1);
  return null;
}

/** @param {string} selector */
function press(selector) {
  const button = /** @type {HTMLElement | null} */ (document.querySelector(selector));
  button?.click();
  return Boolean(button);
}

/** Play or pause what plays on this page. */
function play() {
  for (const host of document.querySelectorAll(`${PAGE}[data-testid="stBidiComponentIsolated"], ${PAGE}*`)) {
    const button = /** @type {HTMLElement | null | undefined} */ (host.shadowRoot?.querySelector(".play"));
    if (button) {
      button.click();
      return true;
    }
  }
  return false;
}

/** The next or previous view, at the last one the next page. @param {1 | -1} by */
function walk(by) {
  const step = /** @type {HTMLButtonElement | null} */ (
    document.querySelector(`${PAGE}.st-key-learn-${by > 0 ? "on" : "back"} button`)
  );
  if (step) {
    step.click();
    return;
  }
  const views = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(VIEWS)]);
  const at = views.findIndex((view) => view.getAttribute("aria-checked") === "true");
  const next = views[at + by];
  if (at >= 0 && next) {
    next.click();
    return;
  }
  const links = /** @type {HTMLElement[]} */ ([...document.querySelectorAll('[data-testid="stTopNavLink"]')]);
  const here = links.findIndex(
    (link) => new URL(/** @type {HTMLAnchorElement} */ (link).href).pathname === location.pathname,
  );
  links[here + by]?.click();
}
