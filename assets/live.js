// @ts-check
// The live view: each update names where points, density and loss should be; frames in between are drawn here.

import { announce, clamp, provide, stateOf, unpack } from "./common.js";
import { Approach } from "./drawing.js";
import { Stages } from "./stages.js";

/** @typedef {import("./stages.js").StageScene} StageScene */

/**
 * What one update holds: flowlab/dashboard/canvas/live.py `pack_frame`.
 * @typedef {object} Update
 * @property {number} step
 * @property {number | null} [density_max]
 * @property {number | null} gap
 * @property {number} [beside_n_steps] of the run that another stage shows, where its loss has the same unit
 * @property {Float32Array} [beside_train]
 * @property {Float32Array} [beside_val]
 * @property {Uint8Array} [density]
 * @property {number[]} [density_shape]
 * @property {string} [ghost] the other model that the picture is of
 * @property {boolean} [twin] whether another stage stands beside this one
 * @property {Float32Array} [latent]
 * @property {Float32Array} [samples]
 * @property {Uint32Array} loss_step
 * @property {Float32Array} loss_train
 * @property {Float32Array} loss_val
 */

/**
 * @typedef {object} Live
 * @property {Stages} stages
 * @property {string} scene digest of the scene shown
 * @property {Approach} density
 * @property {Approach} latent
 * @property {Approach} samples
 * @property {import("./stages.js").Frame} frame the parts of the frame that do not approach
 * @property {boolean} hasPicture whether there is anything of the model to show
 * @property {number} request the animation frame asked for
 * @property {() => void} wake draw soon
 */

/** @param {import("./common.js").Component} component @param {StageScene} scene */
function update({ data, parentElement }, scene) {
  const live = stateOf(parentElement, () => start(parentElement, scene));
  /** @type {Update} */
  const now = unpack(data);
  if (live.scene !== scene.scene) {
    live.scene = scene.scene;
    live.stages.setScene(scene);
  }
  live.density.aim(now.density ?? null);
  live.latent.aim(now.latent ?? null);
  live.samples.aim(now.samples ?? null);
  live.frame = {
    side: now.density_shape?.[0],
    densityMax: now.density_max ?? NaN,
    step: now.step,
    ghost: now.ghost,
    gap: now.gap,
    loss: { step: now.loss_step, train: now.loss_train, val: now.loss_val },
    beside: { nSteps: now.beside_n_steps ?? 0, train: now.beside_train ?? [], val: now.beside_val ?? [] },
  };
  live.hasPicture = Boolean((!now.ghost && (now.latent || now.density)) || now.loss_step.length);
  live.stages.root.classList.toggle("twin", Boolean(now.twin));
  live.stages.theme = null; // the theme may have changed
  live.stages.tell(now.ghost ? live.frame : { ...live.frame, density: now.density, latent: now.latent });
  live.wake();
  return () => cancelAnimationFrame(live.request); // state stays on parentElement: a cleanup is not always an end
}

/** @param {HTMLElement | ShadowRoot} parent @param {StageScene} scene */
function start(parent, scene) {
  const stages = new Stages(parent, scene);
  const [density, latent, samples] = [new Approach(), new Approach(), new Approach()];
  let last = 0;
  let running = false;
  /** @param {number} t */
  const tick = (t) => {
    const dt = clamp(t - last, 1, 100);
    last = t;
    const moves = [density.step(dt, 0.5), latent.step(dt, 0.003), samples.step(dt, 0.003)];
    const frame = { ...live.frame, density: density.now, latent: latent.now, samples: samples.now };
    const drawn = stages.draw(frame, dt);
    const { step } = live.frame;
    if (drawn)
      announce(stages.root, { component: "live", ...drawn, scene: live.scene, step, picture: live.hasPicture });
    running = drawn?.moving || moves.some(Boolean);
    if (running) live.request = requestAnimationFrame(tick);
  };
  /** @type {Live} */
  const live = {
    ...{ stages, density, latent, samples, scene: "", hasPicture: false, request: 0 },
    frame: { loss: { step: [], train: [], val: [] } },
    wake() {
      cancelAnimationFrame(live.request);
      if (!running) last = performance.now();
      live.request = requestAnimationFrame(tick);
    },
  };
  stages.wanted = live.wake;
  return live;
}

export default provide("live", update);
