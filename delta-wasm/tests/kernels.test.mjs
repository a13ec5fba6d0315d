// The kernels of both builds against JavaScript, through the stages: no bit may change on the way.

import assert from "node:assert/strict";
import { test } from "node:test";

import { AWKWARD, bitsOf, generator, openStages, rowOf, rowTerm, SIMDS } from "./helpers.mjs";

// Tails of every length after whole vectors and after whole words of 64 lanes.
const DIMS = [
  1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 100, 127, 384, 511, 513, 1536, 1539,
];

const randomBits = (random) => (random() % 3 === 0 ? AWKWARD[random() % AWKWARD.length] : random());

/** The (index, bits) pairs that the capture module's diff lists. */
function diff(capture, old, next) {
  const size = Math.ceil((4 * old.length) / 16) * 16;
  const [oldAt, newAt] = [capture.put(rowOf(old), 0), capture.put(rowOf(next), size)];
  const count = capture.call("diff", oldAt, newAt, oldAt + 2 * size, oldAt + 3 * size);
  const words = (offset) => bitsOf(capture.get(4 * count, offset));
  return words(2 * size).map((index, at) => [index, words(3 * size)[at]]);
}

for (const simd of SIMDS) {
  test(`${simd}: the module says what it was built with`, async () => {
    const { apply } = await openStages({ dim: 1, simd });
    assert.equal(apply.exports.delta_features(), simd === "simd128" ? 1 : 0);
    assert.equal(apply.exports.delta_version(), 1);
  });

  test(`${simd}: diff lists what JavaScript lists, at every tail`, async () => {
    const random = generator(1);
    for (const dim of DIMS) {
      const { capture } = await openStages({ dim, simd });
      for (const rate of [1, 4, 20]) {
        const old = Array.from({ length: dim }, () => randomBits(random));
        const next = old.map((word) => (random() % rate === 0 ? randomBits(random) : word));
        const expected = next.flatMap((word, index) =>
          word !== old[index] ? [[index, word]] : [],
        );
        assert.deepEqual(diff(capture, old, next), expected, `dim ${dim}`);
        assert.deepEqual(diff(capture, next, next), []);
      }
    }
  });

  test(`${simd}: each pair of awkward bits, in each lane, from capture to replica`, async () => {
    const { capture, process, apply } = await openStages({ dim: 9, simd });
    let row = Array(9).fill(0x7fc00001);
    capture.insert(new Uint8Array([1]), rowOf(row));
    for (let lane = 0; lane < 9; lane += 1) {
      for (const before of AWKWARD) {
        for (const after of AWKWARD) {
          for (const bits of [before, after]) {
            row = row.map((word, at) => (at === lane ? bits : word));
            capture.update(0, rowOf(row));
            process.relay(2);
            apply.poll(2);
            assert.deepEqual(bitsOf(apply.row(0)), row);
          }
        }
      }
    }
    assert.deepEqual(apply.position(), capture.position());
    assert.equal(apply.digest(), apply.position().digest);
  });

  test(`${simd}: the digest is WIRE.md's`, async () => {
    const random = generator(7);
    for (const dim of DIMS) {
      const { capture, process, apply } = await openStages({ dim, simd });
      const zero = Array(dim).fill(0);
      capture.insert(new Uint8Array([1]), rowOf(zero));
      const before = capture.position().digest;
      const row = Array.from({ length: dim }, () => randomBits(random));
      capture.update(0, rowOf(row));
      process.relay(2);
      apply.poll(2);
      assert.equal(BigInt.asUintN(64, apply.digest() - before), rowTerm(0, row), `dim ${dim}`);
    }
  });
}

test("both builds find the same neighbours, with the same bits of distance", async () => {
  const random = generator(3);
  const dim = 100;
  const float = () => (random() / 2 ** 32 - 0.5) * 4;
  const rows = Array.from({ length: 64 }, () => new Float32Array(dim).map(float));
  const query = new Float32Array(dim).map(float);
  const found = [];
  for (const simd of SIMDS) {
    const { capture, process, apply } = await openStages({ dim, simd });
    rows.forEach((row, index) => capture.insert(new Uint8Array([index + 1]), row));
    capture.update(11, rowOf(Array(dim).fill(0x7fc00000)));
    capture.delete(5);
    process.relay(99);
    apply.poll(99);
    const all = ["squaredL2", "dot", "cosine"].map((metric) =>
      apply.search(query, { k: 64, metric }),
    );
    for (const hits of all) {
      assert.equal(hits.length, 63);
      assert.ok(!hits.some(({ slot }) => slot === 5));
      assert.equal(hits.at(-1).slot, 11, "NaN comes last");
      const distances = hits.slice(0, -1).map(({ distance }) => distance);
      assert.deepEqual(
        distances,
        [...distances].sort((a, b) => a - b),
      );
    }
    assert.deepEqual(apply.search(query, { k: 3 }), all[0].slice(0, 3));
    found.push(all.map((hits) => hits.map(({ slot, distanceBits }) => [slot, distanceBits])));
  }
  assert.deepEqual(found[0], found[1]);
});
