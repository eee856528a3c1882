// A small canvas to draw one's own points on: spray, erase, two kinds.

const MOST = 2000; // points
const SPRAY = 0.06; // radius of the spray, as a share of the window

function paint({ data, parentElement, setStateValue }, scene) {
  const P = (parentElement.__paint ??= startPaint(parentElement));
  P.report = (drawing) => setStateValue("drawing", drawing);
  P.theme = null; // the theme may have changed
  if (P.scene !== scene) {
    const now = unpack(data);
    Object.assign(P, { scene, xy: Array.from(now.points ?? []), kind: Array.from(now.labels ?? []) });
    P.plane.view = scene.window;
    P.undo = [];
  }
  P.wake();
}

function startPaint(parent) {
  const P = { xy: [], kind: [], undo: [], tool: "data", cursor: [0.5, 0.5], seed: 1 };
  const tool = (name, text) => {
    const b = make("button", { cls: "chip", type: "button", text, "aria-pressed": String(name === P.tool) });
    b.onclick = () => { P.tool = name; for (const [n, o] of Object.entries(P.tools)) o.setAttribute("aria-pressed", String(n === name)); P.wake(); };
    return b;
  };
  P.tools = { data: tool("data", "Points"), strange: tool("strange", "Anomalies"), erase: tool("erase", "Eraser") };
  P.back = make("button", { cls: "chip act", type: "button", text: "Undo" });
  P.clear = make("button", { cls: "chip act", type: "button", text: "Clear" });
  P.note = make("span", { cls: "note" });
  P.canvas = make("canvas", { role: "img", tabindex: "0" });
  P.root = make("div", { cls: "fl one paint" }, make("div", { cls: "head" }, ...Object.values(P.tools), P.back, P.clear), P.canvas, P.note);
  mountInto(parent, P.root);
  P.plane = new Plane(P.canvas, [6, 2, 38, 42]);
  P.stat = globalThis.__flowlab_paint = {};
  P.wake = () => { P.request ||= requestAnimationFrame(() => { P.request = 0; drawPaint(P); }); };
  P.back.onclick = () => { if (P.undo.length) { [P.xy, P.kind] = P.undo.pop(); send(P); } };
  P.clear.onclick = () => { keep(P); [P.xy, P.kind] = [[], []]; send(P); };
  const c = P.canvas, place = (e) => { P.cursor = [(e.offsetX - P.plane.x0) / P.plane.pw, (e.offsetY - P.plane.y0) / P.plane.ph]; };
  c.onpointerdown = (e) => { c.setPointerCapture(e.pointerId); keep(P); P.drawing = true; P.last = null; place(e); stroke(P); };
  c.onpointermove = (e) => { place(e); P.hover = true; if (P.drawing) stroke(P); P.wake(); };
  c.onpointerleave = () => { P.hover = false; P.wake(); };
  c.onpointerup = c.onpointercancel = () => { if (P.drawing) { P.drawing = false; send(P); } };
  c.onkeydown = (e) => {
    const by = { ArrowLeft: [-0.03, 0], ArrowRight: [0.03, 0], ArrowUp: [0, -0.03], ArrowDown: [0, 0.03] }[e.key];
    if (by) P.cursor = P.cursor.map((v, i) => clamp(v + by[i], 0, 1));
    else if (e.key === " ") { keep(P); stroke(P); send(P); }
    else return;
    P.hover = true;
    e.preventDefault();
    P.wake();
  };
  new ResizeObserver(P.wake).observe(P.root);
  return P;
}

function keep(P) {
  P.undo.push([P.xy.slice(), P.kind.slice()]);
  if (P.undo.length > 30) P.undo.shift();
}

function send(P) {
  P.report({ points: P.xy.map((v) => Number(v.toPrecision(5))), labels: P.kind.slice() });
  P.wake();
}

function stroke(P) {
  const [x0, x1, y0, y1] = P.plane.view, [u, v] = P.cursor, x = x0 + u * (x1 - x0), y = y1 - v * (y1 - y0);
  const rx = SPRAY * (x1 - x0), ry = SPRAY * (y1 - y0);
  const [fromX, fromY] = P.drawing && P.last ? P.last : [x, y];
  P.last = [x, y];
  // along the whole way from the last place: a fast hand, or a busy browser, leaves no gaps
  const wayX = (x - fromX) / rx, wayY = (y - fromY) / ry, length2 = wayX ** 2 + wayY ** 2;
  if (P.tool === "erase") {
    const stays = (i) => {
      const dx = (P.xy[2 * i] - fromX) / rx, dy = (P.xy[2 * i + 1] - fromY) / ry;
      const k = length2 ? clamp((dx * wayX + dy * wayY) / length2, 0, 1) : 0;
      return (dx - k * wayX) ** 2 + (dy - k * wayY) ** 2 > 1.001;
    };
    const left = P.kind.map((_, i) => i).filter(stays);
    P.xy = left.flatMap((i) => [P.xy[2 * i], P.xy[2 * i + 1]]);
    P.kind = left.map((i) => P.kind[i]);
  } else if (u >= 0 && u <= 1 && v >= 0 && v <= 1) {
    const dabs = Math.max(1, Math.ceil(Math.sqrt(length2) * 2));
    for (let k = 0; k < 5 * dabs && P.kind.length < MOST; k++) {
      const r = Math.sqrt(Math.random()), a = TAU * Math.random(), back = Math.floor(k / 5) / dabs;
      const dabX = x - back * (x - fromX), dabY = y - back * (y - fromY);
      P.xy.push(clamp(dabX + rx * r * Math.cos(a), x0, x1), clamp(dabY + ry * r * Math.sin(a), y0, y1));
      P.kind.push(P.tool === "strange" ? 1 : 0);
    }
  }
  P.wake();
}

function drawPaint(P) {
  const p = P.plane, m = P.kind.length;
  if (!P.theme) {
    P.theme = themeOf(P.root);
    P.pair = [markSprite(P.theme.data, P.theme.halo, 2.1), markSprite(P.theme.alarm, P.theme.halo, 2.7, "diamond")];
  }
  const t = P.theme;
  if (!p.fit()) return;
  p.axes(t, P.scene.axes[0], P.scene.axes[1]);
  p.clip((g) => {
    p.dots(P.xy, (i) => P.pair[P.kind[i]]);
    if (!m && !P.drawing) p.label("draw here", p.x0 + p.pw / 2, p.y0 + p.ph / 2, t.muted, { align: "center", size: 15 });
    if (P.hover) p.ring(p.x0 + P.cursor[0] * p.pw, p.y0 + P.cursor[1] * p.ph, SPRAY * p.pw, P.tool === "strange" ? t.alarm : t.text, 1.25);
    g.globalAlpha = 1;
  });
  const strange = P.kind.reduce((a, b) => a + b, 0);
  const words = `${thin(m)} points` + (strange ? `, ${thin(strange)} of them anomalies` : "") + (m >= MOST ? `; more than ${thin(MOST)} do not fit` : "");
  if (P.note.textContent !== words) P.note.textContent = words;
  P.canvas.ariaLabel = `Drawing: ${words}. Arrow keys move the brush, space draws.`;
  P.back.disabled = !P.undo.length;
  P.clear.disabled = !m;
  Object.assign(P.stat, { points: m, anomalies: strange });
}

export default provide("paint", paint);
