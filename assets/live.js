// The live view: each update names where points, density and loss should be; frames in between are drawn here.

function live({ data, parentElement }, scene) {
  const S = (parentElement.__live ??= start(parentElement, scene)), now = unpack(data);
  if (S.scene !== scene.scene) {
    S.scene = scene.scene;
    S.stages.setScene(scene);
    Object.assign(S.stat, { scene: scene.scene, first_picture: null, updates: 0, frames: 0, draw_ms: 0 });
    S.stages.frames = S.stages.drawMs = 0;
  }
  if (!now.density) S.density.aim(null);
  else S.density.aim(now.density);
  S.latent.aim(now.latent ?? null);
  S.samples.aim(now.samples ?? null);
  S.frame = {
    side: now.density_shape?.[0], densityMax: now.density_max ?? NaN, step: now.step,
    loss: { step: now.loss_step, train: now.loss_train, val: now.loss_val },
  };
  S.hasPicture = Boolean(now.latent || now.density || now.loss_step.length);
  S.stat.updates++;
  S.stat.step = now.step;
  S.stages.theme = null; // the theme may have changed
  S.stages.tell({ ...S.frame, density: now.density, latent: now.latent });
  S.wake();
  return () => cancelAnimationFrame(S.request); // state stays on parentElement: a cleanup is not always an end
}

function start(parent, scene) {
  const S = { stages: new Stages(parent, scene), density: new Approach(), latent: new Approach(), samples: new Approach(), frame: { loss: { step: [], train: [], val: [] } } };
  S.stat = globalThis.__flowlab_live = { mounted: Date.now() };
  let last = 0, running = false;
  const tick = (t) => {
    const dt = clamp(t - last, 1, 100);
    last = t;
    const moves = [S.density.step(dt, 0.5), S.latent.step(dt, 0.003), S.samples.step(dt, 0.003)];
    const zoom = S.stages.draw({ ...S.frame, density: S.density.now, latent: S.latent.now, samples: S.samples.now }, dt);
    if (S.hasPicture && S.stages.frames) S.stat.first_picture ??= Date.now();
    Object.assign(S.stat, { frames: S.stages.frames, draw_ms: S.stages.drawMs });
    running = zoom || moves.some(Boolean);
    if (running) S.request = requestAnimationFrame(tick);
  };
  S.wake = () => {
    cancelAnimationFrame(S.request);
    if (!running) last = performance.now();
    S.request = requestAnimationFrame(tick);
  };
  S.stages.wanted = S.wake;
  return S;
}

export default provide("live", live);
