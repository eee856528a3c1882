// Numbers, packed arrays and colours of assets/common.js.

import assert from "node:assert/strict";
import { test } from "node:test";

import { clamp, fromHalf, lookupTable, mix, pixelColor, thin, ticks, unpack } from "../../assets/common.js";

function packed(header, blocks) {
  const start = 4 + 400;
  const text = JSON.stringify(header).padEnd(400);
  const bytes = new Uint8Array(start + blocks.reduce((size, block) => size + block.byteLength, 0));
  new DataView(bytes.buffer).setUint32(0, 400, true);
  bytes.set(new TextEncoder().encode(text), 4);
  let at = start;
  for (const block of blocks) {
    bytes.set(new Uint8Array(block.buffer), at);
    at += block.byteLength;
  }
  return bytes;
}

test("unpack reads the header and arrays of each kind, wherever the bytes lie in their buffer", () => {
  const header = {
    step: 7,
    entropy: null,
    arrays: [
      ["xy", "f4", [2, 2], 404],
      ["half", "f2", [2], 420],
      ["kind", "u1", [4], 424],
      ["steps", "u4", [1], 428],
    ],
  };
  const blocks = [
    Float32Array.of(1.5, -2, 3, 4),
    Uint16Array.of(0x3c00, 0xc000),
    Uint8Array.of(0, 1, 2, 255),
    Uint32Array.of(4294967295),
  ];
  const bytes = packed(header, blocks);
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  const out = unpack(shifted.subarray(3)); // not aligned to 4 bytes
  assert.equal(out.step, 7);
  assert.equal(out.entropy, null);
  assert.deepEqual(out.xy, Float32Array.of(1.5, -2, 3, 4));
  assert.deepEqual(out.xy_shape, [2, 2]);
  assert.deepEqual(out.half, Float32Array.of(1, -2));
  assert.deepEqual(out.kind, Uint8Array.of(0, 1, 2, 255));
  assert.deepEqual(out.steps, Uint32Array.of(4294967295));
});

test("half floats: ends of the range, subnormals, signs, and what is not finite", () => {
  const raw = Uint16Array.of(0x0000, 0x3c00, 0xc500, 0x7bff, 0x0400, 0x0001, 0x3555, 0x7c00, 0xfc00, 0x7e00);
  const expected = [0, 1, -5, 65504, 2 ** -14, 2 ** -24, 0.333251953125, NaN, NaN, NaN];
  assert.deepEqual(Array.from(fromHalf(raw)), expected);
  assert.ok(Object.is(fromHalf(Uint16Array.of(0x8000))[0], -0));
});

test("thin groups digits, keeps a true minus, and says what is not a number with a dash", () => {
  assert.equal(thin(1234567.891, 2), "1\u2009234\u2009567.89");
  assert.equal(thin(-1234, 0), "\u22121\u2009234");
  assert.equal(thin(999), "999");
  assert.equal(thin(0, 2), "0.00");
  assert.equal(thin(-2.5e-5, 3), "0.000");
  assert.equal(thin(-3e7), "\u22123.0e7");
  assert.equal(thin(NaN), "\u2013");
  assert.equal(thin(-Infinity), "\u2013");
});

test("ticks are round, lie in the range and share their decimals", () => {
  assert.deepEqual(ticks(0, 10, 5), [
    [0, "0"],
    [2, "2"],
    [4, "4"],
    [6, "6"],
    [8, "8"],
    [10, "10"],
  ]);
  const labels = ticks(-0.3, 0.3, 4).map(([, text]) => text);
  assert.deepEqual(labels, ["\u22120.2", "0.0", "0.2"]);
  assert.ok(
    ticks(-0.3, 0.3, 4).some(([v]) => Object.is(v, 0)),
    "zero is zero, not a rounding error",
  );
  for (const [lo, hi, n] of [
    [1e-7, 3e-7, 4],
    [-12345, 98765, 8],
    [0.1, 0.7, 3],
  ]) {
    const values = ticks(lo, hi, n).map(([v]) => v);
    assert.ok(values.length >= 2 && values.length <= 2 * n + 1, `${values}`);
    assert.ok(values.every((v) => v >= lo - 1e-9 * (hi - lo) && v <= hi + 1e-9 * (hi - lo)));
  }
});

test("clamp and mix", () => {
  assert.deepEqual([clamp(-1, 0, 2), clamp(1, 0, 2), clamp(3, 0, 2)], [0, 1, 2]);
  const out = new Float32Array(2);
  assert.equal(mix([0, 10], [2, 20], 0.5, out), out, "an array that fits is used again");
  assert.deepEqual(out, Float32Array.of(1, 15));
  assert.deepEqual(mix([1, 2, 3], [1, 2, 3], 0.3, out).length, 3);
});

test("a lookup table begins and ends with its colours and passes through the middle one", () => {
  const table = lookupTable([
    [255, 0, 0],
    [0, 255, 0],
    [0, 0, 255],
  ]);
  assert.equal(pixelColor(table[0]), "rgb(255 0 0)");
  assert.equal(pixelColor(table[255]), "rgb(0 0 255)");
  assert.equal(pixelColor(table[127]), "rgb(1 254 0)");
  assert.ok(
    table.every((pixel) => pixel >>> 24 === 255),
    "opaque",
  );
});
