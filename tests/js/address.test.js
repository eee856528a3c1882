// The address bar under Back: what an earlier run of the page still draws must not overwrite where Back has led.

import assert from "node:assert/strict";
import { test } from "node:test";

const listeners = [];
globalThis.location = { pathname: "/explore", search: "", hash: "" };
globalThis.window = { addEventListener: (_, listener) => listeners.push(listener) };
globalThis.history = {
  pushState: (_, __, address) => go(address),
  replaceState: (_, __, address) => go(address),
};
const { default: write } = await import("../../assets/address.js");

function go(address) {
  const [pathname, query = ""] = address.split("?");
  Object.assign(location, { pathname, search: query && `?${query}` });
}

function back(address) {
  go(address);
  for (const listener of listeners) listener();
}

function drawn(query, change, answers = "") {
  write({ data: { page: "explore", query, change, answers } });
  return location.search;
}

test("a late picture of an earlier run leaves the address that Back led to", () => {
  assert.equal(drawn("row=5", "push"), "?row=5");
  assert.equal(drawn("row=17", "push"), "?row=17");
  back("/explore?row=5");
  assert.equal(drawn("row=17", "replace"), "?row=5");
  assert.equal(drawn("row=5", "stay", "row=5"), "?row=5", "the server's answer");
  assert.equal(drawn("row=6", "push"), "?row=6", "the next step");
});

test("an answer that tidies the link replaces it, however it is encoded", () => {
  drawn("row=5", "push");
  back("/explore?row=5&text=a%20b");
  assert.equal(drawn("row=5&text=a+c", "replace", "row=5&text=a+b"), "?row=5&text=a+c");
});

test("an answer that never comes does not hold the address for good", (t) => {
  let now = 0;
  t.mock.method(performance, "now", () => now);
  drawn("row=5", "push");
  back("/explore?row=9");
  assert.equal(drawn("row=5", "replace"), "?row=9");
  now = 15001;
  assert.equal(drawn("row=5", "replace"), "?row=5");
  assert.equal(drawn("row=9", "stay", "row=9"), "?row=9", "but it holds when it comes after all");
});
