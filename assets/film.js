// The film of a run: all kept frames are here; scrubbing and playing never ask the server.

function film({ data, parentElement, setStateValue }, scene) {
  const F = (parentElement.__film ??= startFilm(parentElement, scene));
  F.report = (frame) => setStateValue("frame", frame);
  F.stages.theme = null; // the theme may have changed
  if (F.scene !== scene) F.load(scene, unpack(data).frame);
  F.wake();
  return () => F.player.play(false, false);
}

function startFilm(parent, first) {
  const F = { stages: new Stages(parent, first) }, { stages } = F;
  F.player = new Player({
    label: "Frame of the film", seconds: 8, moved: () => F.wake(),
    released: (frame) => { if (frame !== F.told) F.report((F.told = frame)); },
    words: (position) => (F.scene ? `step ${thin(at(F.scene.steps, position))}` : ""),
  });
  stages.root.classList.add("film");
  stages.root.insertBefore(F.player.bar, stages.strip);
  F.stat = globalThis.__flowlab_film = {};
  const at = (values, position) => {
    const i = Math.floor(position), j = Math.min(i + 1, values.length - 1);
    return values[i] + (values[j] - values[i]) * (position - i);
  };
  F.load = (scene, frame) => {
    const atEnd = !F.scene || F.player.position >= F.player.last;
    F.scene = scene;
    stages.setScene(scene);
    F.out = {};
    for (const name of ["density", "latent", "samples"]) {
      if (scene[name]) F.out[name] = new Float32Array(scene[name].length / scene.steps.length);
    }
    const last = scene.steps.length - 1;
    F.told = frame;
    F.player.setLast(last, frame ?? (atEnd ? last : F.player.position));
  };
  F.draw = (now) => {
    F.request = 0;
    const s = F.scene, position = F.player.position, i = Math.floor(position), j = Math.min(i + 1, s.steps.length - 1);
    for (const name in F.out) mixRows(s[name], F.out[name].length, i, j, position - i, F.out[name]);
    const step = at(s.steps, position);
    const frame = {
      ...F.out, side: s.density_shape?.[1], densityMax: s.density_max ? at(s.density_max, position) : NaN,
      loss: { step: s.loss_step, train: s.loss_train, val: s.loss_val }, cursor: step, step: Math.round(step),
    };
    const zooms = stages.draw(frame, clamp(now - (F.then ?? now), 1, 100));
    F.then = now;
    stages.tell(frame);
    Object.assign(F.stat, {
      frames: stages.frames, draw_ms: stages.drawMs, position, step, playing: F.player.playing, fps: F.player.rate(), points: s.points_shape[0],
    });
    if (zooms) F.wake();
  };
  F.wake = () => { F.request ||= requestAnimationFrame(F.draw); };
  stages.wanted = F.wake;
  scrub(F);
  return F;
}

// dragging on the loss strip moves through the film as well
function scrub(F) {
  const canvas = F.stages.canvas.loss, hover = canvas.onpointermove;
  canvas.classList.add("scrub");
  const seek = (e) => {
    const step = F.stages.plane.loss.at(e.offsetX, 0)[0], s = F.scene.steps;
    let i = 0;
    while (i < s.length - 1 && s[i + 1] <= step) i++;
    const t = i < s.length - 1 ? (step - s[i]) / (s[i + 1] - s[i]) : 0;
    F.player.play(false, false);
    F.player.go(clamp(i + t, 0, s.length - 1));
  };
  canvas.onpointerdown = (e) => { canvas.setPointerCapture(e.pointerId); F.dragging = true; seek(e); };
  canvas.onpointermove = (e) => { hover(e); if (F.dragging) seek(e); };
  canvas.onpointerup = canvas.onpointercancel = () => { if (F.dragging) F.player.settle(); F.dragging = false; };
}

export default provide("film", film);
