// A play button and a slider over positions 0..last; what is drawn between whole positions is the owner's business.

class Player {
  // seconds: length of a whole passage; bounce: run back at the end; hold: rest in seconds at each whole position
  constructor({ label, seconds, bounce = false, hold = 0, moved, released, words }) {
    Object.assign(this, { seconds, bounce, hold, moved, released, words, position: 0, last: 0, way: 1, playing: false });
    this.button = make("button", { cls: "play", type: "button", "aria-label": "Play", "aria-pressed": "false" });
    this.slider = make("input", { type: "range", min: "0", max: "0", step: "any", value: "0", "aria-label": label });
    this.said = make("output");
    this.bar = make("div", { cls: "bar" }, this.button, this.slider, this.said);
    this.button.onclick = () => this.play(!this.playing);
    this.slider.oninput = () => { this.play(false, false); this.go(Number(this.slider.value)); };
    this.slider.onchange = () => this.settle();
    this.slider.onkeydown = (e) => this.key(e);
  }

  key(e) {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 }[e.key];
    const to = e.key === "Home" ? 0 : e.key === "End" ? this.last : by && clamp((by > 0 ? Math.floor : Math.ceil)(this.position) + by, 0, this.last);
    if (e.key === " ") this.play(!this.playing);
    else if (to !== undefined) {
      this.play(false, false);
      this.go(to);
      clearTimeout(this.quiet); // a held key is one movement
      this.quiet = setTimeout(() => this.settle(), 350);
    } else return;
    e.preventDefault();
  }

  setLast(last, position) {
    this.last = last;
    this.slider.max = String(last);
    this.go(clamp(position, 0, last));
    this.exact = this.position; // a film may grow while it plays
  }

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

  play(on, settle = true) {
    if (on === this.playing) return;
    this.playing = on;
    this.button.setAttribute("aria-pressed", String(on));
    this.button.setAttribute("aria-label", on ? "Pause" : "Play");
    cancelAnimationFrame(this.request);
    if (!on) return settle ? this.settle() : undefined;
    if (!this.bounce) this.way = 1;
    else this.way = this.position >= this.last ? -1 : this.position <= 0 ? 1 : this.way;
    if (!this.bounce && this.position >= this.last) this.go(0);
    this.begun = this.then = performance.now();
    this.exact = this.position;
    this.rest = 0;
    this.shown = 0;
    this.request = requestAnimationFrame((t) => this.advance(t));
  }

  advance(t) {
    if (!this.bar.isConnected) return this.play(false, false);
    const dt = clamp((t - this.then) / 1000, 0, 0.1);
    this.then = t;
    this.shown++;
    if (this.rest > 0) this.rest -= dt;
    else {
      const before = this.exact, next = before + (this.way * dt * Math.max(this.last, 1)) / this.seconds;
      const stop = this.way > 0 ? Math.floor(before + 1e-9) + 1 : Math.ceil(before - 1e-9) - 1;
      const arrives = this.hold && (next - stop) * this.way >= 0;
      this.exact = clamp(arrives ? stop : next, 0, this.last);
      if (arrives) this.rest = this.hold;
      this.go(reducedMotion() ? Math.round(this.exact) : this.exact);
    }
    const end = this.way > 0 ? this.last : 0;
    if (this.exact === end && this.rest <= 0) {
      if (!this.bounce) return this.play(false);
      this.way = -this.way;
      this.rest = Math.max(this.hold, 0.8);
    }
    this.request = requestAnimationFrame((t) => this.advance(t));
  }

  rate() { return this.shown > 1 ? (1000 * (this.shown - 1)) / (this.then - this.begun) : 0; }
}

// arrays a and b mixed by t, into `out` if it fits
function mix(a, b, t, out) {
  if (out?.length !== a.length) out = new Float32Array(a.length);
  for (let k = 0; k < a.length; k++) out[k] = a[k] + (b[k] - a[k]) * t;
  return out;
}
