// A replica with a graph: what arrives is the writer's, and searches go by it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { createReplica, frameHeader } from "../npm/src/index.js";
import { refusal, rowOf, wireFrames } from "./helpers.mjs";

const frames = await wireFrames("golden-graph");
const start = frames.get("start");
const view = new DataView(start.buffer, start.byteOffset);
const METRICS = [undefined, "squaredL2", "dot", "cosine"];

// A control start: kind, dim, slots of the base, then the graph's degrees and metric.
const [dim, degree0, degree, metric] = [
  view.getUint32(64 + 4, true),
  start[64 + 12],
  start[64 + 13],
  METRICS[start[64 + 14]],
];
const graph = { degree0, degree, metric };
const all = Buffer.concat([...frames.values()]);
const last = frameHeader([...frames.values()].at(-1));
const options = { dim, capacity: 16 };
const slots = (hits) => hits.map(({ slot, distanceBits }) => [slot, distanceBits]);

for (const simd of ["never", "require"]) {
  for (const ringSlots of [undefined, 16]) {
    const how = `simd ${simd}, ${ringSlots ? "through a ring" : "by frames"}`;
    test(`${how}: the golden graph arrives, and what it leads to is found`, async () => {
      const replica = await createReplica({ ...options, graph, simd, ringSlots });
      assert.equal(replica.apply(all), frames.size);
      assert.equal(replica.position().digest, last.digest);
      assert.equal(replica.digest(), last.digest);
      const count = Number(replica.counters().slots);
      assert.ok(count > 2);
      for (let slot = 0; slot < count; slot += 1) {
        const query = replica.row(slot);
        const found = replica.search(query, { k: count });
        assert.ok(found.length > 0);
        // What no edge leads to is not found; all else is, as an exact search has it.
        const all = slots(replica.search(query, { k: count, exact: true }));
        const isFound = ([slot]) => found.some((hit) => hit.slot === slot);
        assert.deepEqual(slots(found), all.filter(isFound));
        // Fewer are the first of more.
        assert.deepEqual(slots(replica.search(query, { k: 1 })), slots(found.slice(0, 1)));
        assert.deepEqual(slots(replica.search(query, { k: count, ef: 64, metric })), slots(found));
      }
      replica.checkIntegrity();
    });
  }
}

test("a replica without the stream's graph refuses it, and is unchanged", async () => {
  for (const other of [undefined, { ...graph, degree0: degree0 + 1 }]) {
    const replica = await createReplica({ ...options, graph: other });
    assert.equal(refusal(() => replica.apply(all)).code, "GRAPH");
    assert.equal(replica.position().sequence, 0n);
    assert.equal(replica.counters().slots, 0n);
  }
});

test("a graph that cannot be, and searches without one, are refused", async () => {
  for (const change of [{ degree0: 0 }, { degree: 256 }, { metric: "edit" }, { upperLists: 0 }]) {
    const created = createReplica({ ...options, graph: { ...graph, ...change } });
    await assert.rejects(created, { code: "OPTION" });
  }
  const replica = await createReplica(options);
  const query = rowOf(Array.from({ length: dim }, () => 0));
  assert.equal(refusal(() => replica.search(query, { ef: 10 })).code, "NO_GRAPH");
  const other = await createReplica({ ...options, graph });
  assert.equal(refusal(() => other.search(query, { ef: 8193 })).code, "ARGUMENT");
  assert.equal(refusal(() => other.search(query, { ef: 0.5 })).code, "ARGUMENT");
});
