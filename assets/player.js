// @ts-check
// A play button and a slider over positions 0..last; its owner draws what lies between whole positions.

import { clamp, make, reducedMotion } from "./common.js";

/**
 * @typedef {object} PlayerOptions
 * @property {string} label of the slider
 * @property {number} seconds length of a whole passage
 * @property {boolean} [bounce] run back at the end
 * @property {number} [hold] rest in seconds at each whole position
 * @property {(position: number) => void} moved
 * @property {(position: number) => void} released called with a whole position when a movement ends
 * @property {(position: number) => string} words for a position
 */

export class Player {
  position = 0;
  last = 0;
  playing = false;
  /** @type {1 | -1} */
  direction = 1;
  exact = 0; // the position before reduced motion rounds it
  rest = 0; // seconds left at a whole position
  drawnAt = 0; // time stamp of the last frame in ms
  request = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  keyTimer;

  /** @param {PlayerOptions} options */
  constructor({ label, seconds, bounce = false, hold = 0, moved, released, words }) {
    this.seconds = seconds;
    this.bounce = bounce;
    this.hold = hold;
    this.moved = moved;
    this.released = released;
    this.words = words;
    this.button = make("button", { cls: "play", type: "button", "aria-label": "Play", "aria-pressed": "false" });
    this.slider = make("input", { type: "range", min: "0", max: "0", step: "any", value: "0", "aria-label": label });
    this.said = make("output");
    this.bar = make("div", { cls: "bar" }, this.button, this.slider, this.said);
    this.button.onclick = () => this.play(!this.playing);
    this.slider.oninput = () => {
      this.play(false, false);
      this.go(Number(this.slider.value));
    };
    this.slider.onchange = () => this.settle();
    this.slider.onkeydown = (e) => this.key(e);
  }

  /** @param {KeyboardEvent} e */
  key(e) {
    const to = positionForKey(e.key, this.position, this.last);
    if (e.key === " ") this.play(!this.playing);
    else if (to !== null) {
      this.play(false, false);
      this.go(to);
      clearTimeout(this.keyTimer); // debounce key repeat
      this.keyTimer = setTimeout(() => this.settle(), 350);
    } else return;
    e.preventDefault();
  }

  /** @param {number} last @param {number} position */
  setLast(last, position) {
    this.last = last;
    this.slider.max = String(last);
    this.go(clamp(position, 0, last));
    this.exact = this.position; // a film may grow while it plays
  }

  /** @param {number} position */
  go(position) {
    this.position = position;
    this.slider.value = String(position);
    const text = this.words(position);
    this.said.textContent = text;
    this.slider.setAttribute("aria-valuetext", text);
    this.moved(position);
  }

  settle() {
    const whole = Math.round(this.position);
    if (whole !== this.position) this.go(whole);
    this.released(whole);
  }

  /** @param {boolean} on @param {boolean} [settle] */
  play(on, settle = true) {
    if (on === this.playing) return;
    this.playing = on;
    this.button.setAttribute("aria-pressed", String(on));
    this.button.setAttribute("aria-label", on ? "Pause" : "Play");
    cancelAnimationFrame(this.request);
    if (!on) {
      if (settle) this.settle();
      return;
    }
    if (!this.bounce) this.direction = 1;
    else if (this.position >= this.last) this.direction = -1;
    else if (this.position <= 0) this.direction = 1;
    if (!this.bounce && this.position >= this.last) this.go(0);
    this.drawnAt = performance.now();
    this.exact = this.position;
    this.rest = 0;
    this.request = requestAnimationFrame((t) => this.advance(t));
  }

  /** @param {number} t */
  advance(t) {
    if (!this.bar.isConnected) {
      this.play(false, false);
      return;
    }
    const dt = clamp((t - this.drawnAt) / 1000, 0, 0.1);
    this.drawnAt = t;
    if (this.rest > 0) this.rest -= dt;
    else {
      const before = this.exact;
      const next = before + (this.direction * dt * Math.max(this.last, 1)) / this.seconds;
      const stop = this.direction > 0 ? Math.floor(before + 1e-9) + 1 : Math.ceil(before - 1e-9) - 1;
      const arrives = this.hold > 0 && (next - stop) * this.direction >= 0;
      this.exact = clamp(arrives ? stop : next, 0, this.last);
      if (arrives) this.rest = this.hold;
      this.go(reducedMotion() ? Math.round(this.exact) : this.exact);
    }
    const end = this.direction > 0 ? this.last : 0;
    if (this.exact === end && this.rest <= 0) {
      if (!this.bounce) {
        this.play(false);
        return;
      }
      this.direction = this.direction > 0 ? -1 : 1;
      this.rest = Math.max(this.hold, 0.8);
    }
    this.request = requestAnimationFrame((next) => this.advance(next));
  }
}

/**
 * Where a key of the slider leads, null for other keys.
 * @param {string} key @param {number} position @param {number} last
 */
export function positionForKey(key, position, last) {
  if (key === "Home") return 0;
  if (key === "End") return last;
  /** @type {Record<string, number>} */
  const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };
  const by = steps[key];
  if (!by) return null;
  return clamp((by > 0 ? Math.floor(position) : Math.ceil(position)) + by, 0, last);
}
