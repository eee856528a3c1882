// @ts-check
// Writes the state of the page into the address bar. A step can be undone by Back; anything else replaces what stood
// there.

/** @param {{ data: { query: string, change: "push" | "replace" | "stay" } }} component */
export default function write({ data }) {
  const { query, change } = data;
  if (change === "stay") return;
  if (new URLSearchParams(location.search).toString() === new URLSearchParams(query).toString()) return;
  const address = location.pathname + (query ? `?${query}` : "") + location.hash;
  if (change === "push") history.pushState({}, "", address);
  else history.replaceState({}, "", address);
}
