// The film of a run: all kept frames are here; scrubbing and playing never ask the server, new frames are added.

const PICTURES = ["density", "latent", "samples"];
const CATCH_UP = 2.5; // frames a second at least when a film that stands at its end follows the training

function film({ data, parentElement, setStateValue }, scene) {
  const F = (parentElement.__film ??= startFilm(parentElement, scene)), now = unpack(data);
  F.report = (step) => setStateValue("step", step);
  F.stages.theme = null; // the theme may have changed
  F.stages.root.classList.toggle("growing", now.growing);
  if (F.scene !== scene) F.load(scene, now.start);
  F.add(now);
  F.wake();
}

function startFilm(parent, first) {
  const F = { stages: new Stages(parent, first), steps: [], loss: { step: [], train: [], val: [] } }, { stages } = F;
  F.player = new Player({
    label: "Frame of the film", seconds: 8, moved: () => F.wake(),
    released: (frame) => {
      const step = frame >= F.player.last ? null : F.steps[frame]; // at the end it follows the training
      if (step !== F.told) F.report((F.told = step));
    },
    words: (position) => (F.steps.length ? `step ${thin(stepAt(F.steps, position))}` : ""),
  });
  stages.root.classList.add("film");
  stages.root.insertBefore(F.player.bar, stages.strip);
  F.stat = globalThis.__flowlab_film = {};
  // The frames stay with the scene, which outlives this element.
  F.load = (scene, start) => {
    F.scene = scene;
    stages.setScene(scene);
    F.frames = scene.frames ??= takeFrames(scene, new Map());
    F.told = F.start = start;
    F.steps = [];
  };
  F.add = (now) => {
    takeFrames(now, F.frames);
    F.loss = { step: now.loss_step, train: now.loss_train, val: now.loss_val };
    const steps = Array.from(now.listed).filter((step) => F.frames.has(step)), before = F.steps, { player } = F;
    if (before.join() === steps.join()) return;
    const follows = (F.follows || player.position >= player.last) && !player.playing && F.told === null;
    const step = before.length ? stepAt(before, player.position) : F.start ?? steps.at(-1);
    F.steps = steps;
    player.setLast(steps.length - 1, indexOf(steps, step));
    F.follows = follows && before.length > 0;
  };
  F.draw = (now) => {
    F.request = 0;
    const dt = clamp(now - (F.then ?? now), 1, 100), { player } = F;
    F.then = now;
    if (player.playing) F.follows = false;
    if (F.follows) F.follows = follow(player, dt);
    const position = player.position, i = Math.floor(position), f = position - i, step = stepAt(F.steps, position);
    const a = F.frames.get(F.steps[i]), b = F.frames.get(F.steps[Math.min(i + 1, F.steps.length - 1)]);
    const frame = { side: a.side, densityMax: mixed(a.top, b.top, f), loss: F.loss, cursor: step, step: Math.round(step) };
    for (const name of PICTURES) if (a[name] && b[name]?.length === a[name].length) frame[name] = F[name] = mix(a[name], b[name], f, F[name]);
    const zooms = stages.draw(frame, dt);
    stages.tell(frame);
    Object.assign(F.stat, {
      frames: stages.frames, draw_ms: stages.drawMs, position, step, length: F.steps.length, playing: player.playing, fps: player.rate(), points: F.scene.points_shape[0],
    });
    if (zooms || F.follows) F.wake();
  };
  F.wake = () => { F.request ||= requestAnimationFrame(F.draw); };
  stages.wanted = F.wake;
  scrub(F);
  return F;
}

// the frames of a message into `into`: step -> {density, latent, samples, side, top}
function takeFrames(now, into) {
  const count = now.steps?.length ?? 0;
  for (let k = 0; k < count; k++) {
    const frame = { side: now.density_shape?.[1], top: now.density_max?.[k] ?? NaN };
    for (const name of PICTURES) if (now[name]) {
      const size = now[name].length / count;
      frame[name] = now[name].subarray(k * size, (k + 1) * size);
    }
    into.set(now.steps[k], frame);
  }
  return into;
}

// towards the last frame, so that points travel to where training has moved them; true while on the way
function follow(player, dt) {
  const left = player.last - player.position, by = (Math.max(CATCH_UP, 2 * left) * dt) / 1000;
  player.go(reducedMotion() || by >= left ? player.last : player.position + by);
  return player.position < player.last;
}

const mixed = (a, b, t) => a + (b - a) * t;

function stepAt(steps, position) {
  const i = Math.floor(position);
  return mixed(steps[i], steps[Math.min(i + 1, steps.length - 1)], position - i);
}

// where `step` lies among rising `steps`, between two of them if need be
function indexOf(steps, step) {
  let i = 0;
  while (i < steps.length - 1 && steps[i + 1] <= step) i++;
  return i < steps.length - 1 ? clamp(i + (step - steps[i]) / (steps[i + 1] - steps[i]), 0, steps.length - 1) : i;
}

// dragging on the loss strip moves through the film as well
function scrub(F) {
  const canvas = F.stages.canvas.loss, hover = canvas.onpointermove;
  canvas.classList.add("scrub");
  const seek = (e) => {
    F.player.play(false, false);
    F.follows = false;
    F.player.go(indexOf(F.steps, F.stages.plane.loss.at(e.offsetX, 0)[0]));
  };
  canvas.onpointerdown = (e) => { canvas.setPointerCapture(e.pointerId); F.dragging = true; seek(e); };
  canvas.onpointermove = (e) => { hover(e); if (F.dragging) seek(e); };
  canvas.onpointerup = canvas.onpointercancel = () => { if (F.dragging) F.player.settle(); F.dragging = false; };
}

export default provide("film", film);
