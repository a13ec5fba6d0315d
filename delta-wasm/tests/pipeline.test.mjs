// Pipelines: three modules on one memory in several threads, and frames copied where there is none.

import assert from "node:assert/strict";
import { test } from "node:test";

import { createPipeline } from "../npm/src/index.js";
import { Peer } from "../npm/src/threads.js";
import "./end.mjs";
import { bitsOf, codeOf, generator, NO_SLOTS, rowOf } from "./helpers.mjs";

const MODES = ["shared", "copy"];
const utf8 = (value) => new TextEncoder().encode(value);
const text = (bytes) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);

/** Calls `write`, and again once there is room, if the ring is full. */
async function retry(pipeline, write) {
  for (;;) {
    try {
      return write();
    } catch (error) {
      if (error.code !== "RING_FULL") throw error;
      await pipeline.ready();
    }
  }
}

/** The replicas are where the primaries are, and their digests are those of their states. */
async function assertIdentical(pipeline) {
  await pipeline.settled();
  const positions = await pipeline.replicaPositions();
  assert.deepEqual(positions, pipeline.positions());
  assert.deepEqual(
    await pipeline.replicaDigests(),
    positions.map(({ digest }) => digest),
  );
  await pipeline.checkIntegrity();
}

test("a million records through three modules in three threads", async () => {
  const [dim, entities, records] = [8, 1000, 1_000_000];
  const pipeline = await createPipeline({ dim, capacity: entities, mode: "shared" });
  const row = new Float32Array(dim);
  for (let at = 0; at < entities; at += 1) {
    await retry(pipeline, () => pipeline.insert(`e${at}`, row));
  }
  for (let at = entities; at < records; at += 1) {
    row[at % dim] = at;
    const slot = at % entities;
    try {
      pipeline.update(slot, row);
    } catch {
      await retry(pipeline, () => pipeline.update(slot, row));
    }
  }
  await assertIdentical(pipeline);
  const [{ applied, duplicates }] = await pipeline.replicaCounters();
  assert.equal(applied, BigInt(records));
  assert.equal(duplicates, 0n);
  assert.deepEqual(
    bitsOf(await pipeline.row((records - 1) % entities)),
    bitsOf(rowOf(bitsOf(new Uint8Array(row.buffer)))),
  );
  await pipeline.close();
});

for (const mode of MODES) {
  for (const workers of [1, 3]) {
    test(`${mode}, ${workers} workers: ids, metadata, batches, deletes, search`, async () => {
      const [dim, count] = [5, 60];
      const random = generator(workers);
      const pipeline = await createPipeline({ dim, capacity: 100, mode, workers });
      assert.equal(pipeline.mode, mode);
      const rows = [];
      for (let at = 0; at < count; at += 1) {
        rows.push(rowOf(Array.from({ length: dim }, () => random())));
        const metadata = { name: `n${at}`, ключ: new Uint8Array([0, 255, at]), b: "x" };
        assert.equal(pipeline.insert(`id${at}`, rows[at], metadata), at);
      }
      pipeline.setTime(1_700_000_000_000_000n);
      rows[7] = rowOf([0x7fc00001, 0x80000000, 1, 0xff800001, 2]);
      pipeline.update(7, rows[7], { b: null, c: "new" });
      const many = [3, 4, 5, 9];
      for (const slot of many) rows[slot] = rowOf(Array.from({ length: dim }, () => random()));
      pipeline.updateMany(many, Buffer.concat(many.map((slot) => rows[slot])));
      pipeline.delete(8);
      await assertIdentical(pipeline);
      for (let at = 0; at < count; at += 1) {
        assert.deepEqual(await pipeline.row(at), rows[at], `row ${at}`);
        assert.equal(await pipeline.id(at), `id${at}`);
      }
      const metadata = await pipeline.metadataBytes(7);
      assert.deepEqual(
        metadata.map(([key, value]) => [text(key), value]),
        [
          ["c", utf8("new")],
          ["name", utf8("n7")],
          ["ключ", new Uint8Array([0, 255, 7])],
        ],
      );
      const { ключ, ...others } = await pipeline.metadata(7);
      assert.deepEqual(others, { c: "new", name: "n7" });
      assert.equal(ключ, "\0\ufffd\x07", "text alone");
      assert.equal(await pipeline.isDeleted(8), true);
      const hits = await pipeline.search(new Float32Array(dim), { k: 100 });
      assert.equal(hits.length, count - 1);
      assert.deepEqual(new Set(hits.map(({ slot }) => slot)).size, count - 1);
      await pipeline.close();
      assert.equal(await codeOf(pipeline.settled()), "CLOSED");
    });
  }

  test(`${mode}: a refused change leaves the stream as it was`, async () => {
    const pipeline = await createPipeline({ dim: 4, capacity: 2, mode });
    const row = new Float32Array(4);
    pipeline.insert("a", row);
    pipeline.insert("b", row);
    const before = pipeline.positions();
    const refused = (code, write) => assert.throws(write, { name: "DeltaError", code });
    refused("STORE_FULL", () => pipeline.insert("c", row));
    refused("DIM", () => pipeline.update(0, new Float32Array(5)));
    refused("UNKNOWN_SLOT", () => pipeline.update(2, row));
    refused("UNKNOWN_SLOT", () => pipeline.delete(9));
    refused("UNKNOWN_SLOT", () => pipeline.update(-1, row));
    refused("UNKNOWN_SLOT", () => pipeline.update(0.5, row));
    refused("ID", () => pipeline.insert("", row));
    refused("ID", () => pipeline.insert("x".repeat(256), row));
    refused("METADATA", () => pipeline.update(0, row, { "": "x" }));
    refused("REPEATED", () => pipeline.updateMany([0, 0], new Float32Array(8).fill(1)));
    refused("ARGUMENT", () => pipeline.update(0, [1, 2, 3, 4]));
    pipeline.delete(1);
    refused("DELETED", () => pipeline.update(1, row));
    assert.equal(pipeline.positions()[0].sequence, before[0].sequence + 1n);
    assert.equal(await codeOf(pipeline.search(row, { metric: "l7" })), "METRIC");
    await assertIdentical(pipeline);
    await pipeline.close();
  });

  test(`${mode}: ids and metadata come back byte for byte`, async () => {
    const pipeline = await createPipeline({ dim: 1, capacity: 4, mode });
    const bytes = new Uint8Array([0, 255, 0x80, 0xef, 0xbb, 0xbf]);
    const marked = "\ufeffid";
    pipeline.insert(bytes, new Float32Array(1), [[bytes, bytes]]);
    pipeline.insert(marked, new Float32Array(1), { __proto__: null, ["__proto__"]: marked });
    await pipeline.settled();
    assert.deepEqual(await pipeline.idBytes(0), bytes);
    assert.deepEqual(await pipeline.metadataBytes(0), [[bytes, bytes]]);
    assert.deepEqual(await pipeline.idBytes(1), utf8(marked));
    assert.equal(await pipeline.id(1), marked);
    assert.deepEqual(Object.entries(await pipeline.metadata(1)), [["__proto__", marked]]);
    assert.equal(await codeOf(pipeline.idBytes(2)), "UNKNOWN_SLOT");
    assert.equal(await codeOf(pipeline.metadataBytes(2)), "UNKNOWN_SLOT");
    await pipeline.close();
  });

  test(`${mode}: a slow reader fills the ring, and nothing is lost`, async () => {
    const dim = 64;
    const pipeline = await createPipeline({ dim, capacity: 8, mode, ringSlots: 16 });
    const row = new Float32Array(dim);
    pipeline.insert("a", row);
    // Without a pause no reader has a chance without shared memory, and little with it.
    let fulls = 0;
    for (let at = 0; at < 5000; at += 1) {
      row[at % dim] = at;
      try {
        pipeline.update(0, row);
      } catch (error) {
        assert.equal(error.code, "RING_FULL");
        assert.match(error.message, /ready/);
        fulls += 1;
        await retry(pipeline, () => pipeline.update(0, row));
      }
    }
    assert.ok(fulls > 0);
    await assertIdentical(pipeline);
    assert.equal(pipeline.positions()[0].sequence, 5001n);
    assert.deepEqual(pipeline.lag(), { records: 0, occupancy: 0 });
    await pipeline.close();
  });
}

for (const workers of [1, 3]) {
  test(`what is no slot is refused, ${workers} workers`, async () => {
    const pipeline = await createPipeline({ dim: 2, capacity: 6, mode: "shared", workers });
    for (let at = 0; at < 6; at += 1) pipeline.insert(`${at}`, new Float32Array(2));
    await pipeline.settled();
    const before = pipeline.positions();
    const row = new Float32Array(2).fill(1);
    for (const slot of NO_SLOTS) {
      const refused = (write) => assert.throws(write, { code: "UNKNOWN_SLOT" }, `${slot}`);
      refused(() => pipeline.update(slot, row));
      refused(() => pipeline.delete(slot));
      // Also the slots beside it are left alone.
      refused(() => pipeline.updateMany([0, 1, slot], new Float32Array(6).fill(1)));
      for (const question of ["row", "id", "idBytes", "metadata", "metadataBytes", "isDeleted"]) {
        assert.equal(await codeOf(pipeline[question](slot)), "UNKNOWN_SLOT", question);
      }
    }
    assert.deepEqual(pipeline.positions(), before);
    await pipeline.close();
  });
}

for (const workers of [1, 3]) {
  test(`rows that change together change their metadata too, ${workers} workers`, async () => {
    const pipeline = await createPipeline({ dim: 2, capacity: 6, mode: "shared", workers });
    const row = new Float32Array(2);
    for (let at = 0; at < 6; at += 1) pipeline.insert(`${at}`, row, { k: `v${at}` });
    const slots = [0, 1, 3, 5];
    const rows = Float32Array.from({ length: 8 }, (_, lane) => lane + 1);
    pipeline.updateMany(slots, rows, [{ l: "w" }, null, { k: null, m: "x".repeat(300) }, {}]);
    await assertIdentical(pipeline);
    const expected = [{ k: "v0", l: "w" }, { k: "v1" }, { m: "x".repeat(300) }, { k: "v5" }];
    for (const [at, slot] of slots.entries()) {
      assert.deepEqual(await pipeline.metadata(slot), expected[at]);
      const found = new Float32Array((await pipeline.row(slot)).buffer);
      assert.deepEqual(found, rows.slice(2 * at, 2 * at + 2));
    }
    if (workers === 1) assert.equal(pipeline.positions()[0].sequence, 7n, "one record");
    const before = pipeline.positions();
    const refused = (code, metadata) =>
      assert.throws(() => pipeline.updateMany(slots, rows, metadata), { code });
    refused("METADATA", [{ k: "v" }]);
    refused("METADATA", [null, null, null, null, { k: "v" }]);
    refused("METADATA", [null, { "": "v" }, null, null]);
    pipeline.updateMany([], new Float32Array(0));
    assert.deepEqual(pipeline.positions(), before);
    await assertIdentical(pipeline);
    await pipeline.close();
  });
}

test("without a process stage the replica reads capture's ring", async () => {
  const options = { dim: 4, capacity: 4, mode: "shared", process: "none" };
  const pipeline = await createPipeline(options);
  pipeline.insert("a", new Float32Array(4).fill(3));
  pipeline.update(0, new Float32Array(4).fill(4));
  await assertIdentical(pipeline);
  assert.equal(pipeline.layout()[0].pieces.filter(({ name }) => /^ring/.test(name)).length, 1);
  await pipeline.close();
  assert.equal(await codeOf(createPipeline({ ...options, process: "?" })), "OPTION");
});

test("a reader that fails or vanishes is told of", async () => {
  const pipeline = await createPipeline({ dim: 4, capacity: 4, mode: "shared" });
  pipeline.insert("a", new Float32Array(4));
  await pipeline.settled();
  const [{ memory, pieces }] = pipeline.layout();
  const ring = pieces.find(({ name }) => name === "ring to apply");
  new DataView(memory.buffer).setUint32(ring.address + 64 + 48, 12345, true);
  // It looks at the stamp again when it wakes, and gives up.
  for (let round = 0; round < 500 && (await codeOf(pipeline.row(0))) === "resolved"; round += 1);
  assert.equal(await codeOf(pipeline.row(0)), "RING_CORRUPT");
  assert.equal(await codeOf(pipeline.settled()), "RING_CORRUPT");
  assert.throws(() => pipeline.update(0, new Float32Array(4)), { code: "RING_CORRUPT" });
  await pipeline.close();

  const peer = await Peer.start();
  await peer.ask("replica", { dim: 4, capacity: 4 });
  const asked = peer.ask("digest");
  await asked;
  await peer.worker.terminate();
  assert.equal(await codeOf(peer.ask("digest")), "READER_GONE");
});

test("the write hooks run in another thread that has the handle", async () => {
  const { Worker } = await import("node:worker_threads");
  const pipeline = await createPipeline({
    dim: 4,
    capacity: 4,
    mode: "shared",
    capture: "elsewhere",
  });
  assert.throws(() => pipeline.insert("a", new Float32Array(4)), { code: "WRITER_ELSEWHERE" });
  const url = new URL("../npm/src/index.js", import.meta.url).href;
  const code = `
    const { workerData, parentPort } = require("node:worker_threads");
    import(workerData.url).then(async ({ openWriter }) => {
      const writer = await openWriter(workerData.handle);
      writer.insert("a", new Float32Array(4).fill(2), { k: "v" });
      writer.updateMany([], new Float32Array(0));
      while (writer.appliedCount() !== writer.count);
      parentPort.postMessage(writer.position());
    });`;
  const worker = new Worker(code, {
    eval: true,
    workerData: { url, handle: pipeline.writerHandle() },
  });
  const position = await new Promise((resolve, reject) => {
    worker.on("message", resolve);
    worker.on("error", reject);
  });
  assert.deepEqual(await pipeline.replicaPositions(), [position]);
  await worker.terminate();
  await pipeline.close();
});
