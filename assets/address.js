// @ts-check
// Writes the state of the page into the address bar. A step can be undone by Back; anything else replaces what stood
// there. Between a Back or Forward and the server's answer, what an earlier run of the page still draws is not written.

const PATIENCE_MS = 15000; // so long nothing but the answer is written; it is still right when it comes later

/** @typedef {{ awaited: string, since: number, told: string }} Bar */
/** What the browser's history has led to and the server has not answered yet; the page's components share it.
 * @type {typeof globalThis & { flowlabAddress?: Bar }} */
const shared = globalThis;

/** @returns {Bar} */
function listen() {
  const fresh = { awaited: "", since: 0, told: "" };
  window.addEventListener("popstate", () => {
    fresh.awaited = place() === fresh.told ? "" : place();
    fresh.since = performance.now();
  });
  return fresh;
}

/** Page and query in one form, whoever encoded them: "explore?data=moons". */
function place(page = location.pathname.split("/").at(-1) ?? "", query = location.search) {
  return `${page}?${new URLSearchParams(query)}`;
}

/** @typedef {{ page: string, query: string, change: "push" | "replace" | "stay", answers: string }} Link */
/** @param {{ data: Link }} component */
export default function write({ data }) {
  const { page, query, change, answers } = data;
  const bar = shared.flowlabAddress ?? listen();
  shared.flowlabAddress = bar;
  const isAnswer = bar.awaited !== "" && bar.awaited === place(page, answers);
  if (bar.awaited && !isAnswer && performance.now() - bar.since < PATIENCE_MS) return;
  if (isAnswer) bar.awaited = "";
  bar.told = place(page, query);
  if ((change === "stay" && !isAnswer) || place(page) === bar.told) return;
  const address = location.pathname + (query ? `?${query}` : "") + location.hash;
  if (change === "push") history.pushState({}, "", address);
  else history.replaceState({}, "", address);
}
