// Runs that race: one curve for each, ringed where a fork left the run before it. New points are added, nothing blinks.

const DASHES = [[], [7, 4], [2, 3], [8, 3, 2, 3]];

function race({ data, parentElement }, scene) {
  const R = (parentElement.__race ??= startRace(parentElement)), now = unpack(data);
  R.theme = null; // the theme may have changed
  R.scene = scene;
  R.n_steps = now.n_steps;
  let from = 0;
  R.racers = now.names.map((name, i) => {
    const to = from + now.lengths[i], steps = now.steps.subarray(from, to), losses = now.losses.subarray(from, to);
    from = to;
    return { name, steps, losses, start: now.starts[i], width: i === now.present ? 3 : 1.8 };
  });
  const [lo, hi] = raceRange(R.racers, scene.floor), pad = 0.1 * Math.max(hi - lo, 1e-3);
  R.range.aim(Float32Array.of(lo - pad, hi + 2 * pad));
  legend(R);
  R.wake();
}

function startRace(parent) {
  const R = { range: new Approach(), canvas: make("canvas", { role: "img" }), names: make("div", { cls: "racers" }), tip: make("div", { cls: "tip", role: "tooltip" }) };
  R.tip.hidden = true;
  R.root = make("div", { cls: "fl race" }, R.names, R.canvas, R.tip);
  mountInto(parent, R.root);
  R.plane = new Plane(R.canvas, [10, 12, 40, 62]);
  R.stat = globalThis.__flowlab_race = { frames: 0 };
  R.wake = () => { R.request ||= requestAnimationFrame((t) => { R.request = 0; drawRace(R, t); }); };
  R.canvas.onpointermove = (e) => { R.pointer = [e.offsetX, e.offsetY]; R.wake(); };
  R.canvas.onpointerleave = () => { R.pointer = null; R.wake(); };
  new ResizeObserver(R.wake).observe(R.root);
  return R;
}

// The first losses may be hundreds of nats; the end of the race is what is looked at.
function raceRange(racers, floor) {
  const all = racers.flatMap(({ losses }) => Array.from(losses).filter(Number.isFinite)).sort((a, b) => a - b);
  if (!all.length) return [0, 1];
  const ends = racers.map(({ losses }) => losses.at(-1)).filter(Number.isFinite);
  return [Math.min(all[0], floor ?? Infinity), Math.max(all[Math.floor(0.9 * (all.length - 1))], ...ends)];
}

function styleRace(R) {
  const t = (R.theme = themeOf(R.root)), colors = [t.model, t.second, t.third];
  R.racers.forEach((racer, i) => Object.assign(racer, { color: colors[i % 3], dash: DASHES[i % 4] }));
}

function drawRace(R, time) {
  const p = R.plane, { scene } = R;
  if (!R.theme) styleRace(R);
  if (!p.fit()) return;
  const moving = R.range.step(clamp(time - (R.then ?? time), 1, 100), 1e-3), t = R.theme;
  R.then = time;
  p.view = [0, Math.max(1, R.n_steps), R.range.now[0], R.range.now[1]];
  p.axes(t, "step", `validation ${scene.loss_label}`, { nx: 8, ny: 5, gridY: true, frame: false });
  p.clip((g) => {
    if (scene.floor !== null) {
      p.line(t.truth, [[p.x0, p.y(scene.floor)], [p.x0 + p.pw, p.y(scene.floor)]], { width: 1.5, dash: [2, 4] });
      p.label(`entropy ${thin(scene.floor, 3)}`, p.x0 + p.pw - 4, p.y(scene.floor) - 5, t.truth, { align: "right", halo: t.page });
    }
    for (const racer of R.racers) {
      const points = Array.from(racer.steps, (s, k) => [p.x(s), p.y(racer.losses[k])]).filter(([, y]) => Number.isFinite(y));
      p.line(racer.color, points, racer);
      if (racer.start && points.length) p.ring(...points[0], 5.5, racer.color);
    }
    pick(R);
  });
  R.canvas.ariaLabel = `Validation loss against the step: ${R.racers.map((r) => `${r.name} at ${thin(r.losses.at(-1), 3)}`).join("; ")}.`;
  Object.assign(R.stat, { frames: R.stat.frames + 1, racers: R.racers.length, range: Array.from(R.range.now) });
  if (moving) R.wake();
}

// the point nearest to the pointer, and its numbers
function pick(R) {
  const p = R.plane;
  let best = null, least = 24 ** 2;
  for (const racer of R.pointer ? R.racers : []) for (let k = 0; k < racer.steps.length; k++) {
    const x = p.x(racer.steps[k]), y = p.y(racer.losses[k]), d = (x - R.pointer[0]) ** 2 + (y - R.pointer[1]) ** 2;
    if (d < least) [best, least] = [{ racer, k, x, y }, d];
  }
  R.tip.hidden = !best;
  if (!best) return;
  const { racer, k, x, y } = best, text = `${racer.name}\nstep ${thin(racer.steps[k])}: ${thin(racer.losses[k], 3)}`;
  p.ring(x, y, 4, R.theme.text);
  if (R.tip.textContent !== text) R.tip.textContent = text;
  const flip = x > p.w - 260;
  R.tip.style.transform = `translate(${Math.round(x + (flip ? -14 : 14))}px, ${Math.round(R.canvas.offsetTop + y - 30)}px)` + (flip ? " translateX(-100%)" : "");
}

function legend(R) {
  styleRace(R);
  R.names.replaceChildren(...R.racers.map(({ name, color, dash, width }) => {
    const c = make("canvas", { width: "56", height: "12", "aria-hidden": "true" }), g = c.getContext("2d");
    g.scale(2, 2);
    Object.assign(g, { strokeStyle: color, lineWidth: width });
    g.setLineDash(dash);
    g.moveTo(0, 3);
    g.lineTo(28, 3);
    g.stroke();
    return make("span", {}, c, name);
  }));
}

export default provide("race", race);
