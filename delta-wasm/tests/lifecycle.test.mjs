// What pipelines and replicas leave behind: memory that is used again, workers of one that failed
// to open, and damage between the two sides.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";

import { createPipeline, createReplica } from "../npm/src/index.js";
import { PAGE_SIZE } from "../npm/src/memory.js";
import "./end.mjs";
import { codeOf, wireFrames } from "./helpers.mjs";

const INDEX = new URL("../npm/src/index.js", import.meta.url).href;
/** For what ends by itself or never, on a busy machine. */
const TIMEOUT_MS = 60_000;

/** Runs code in a process of its own, which has to end; what it prints. */
async function runAlone(code) {
  const program = `import(${JSON.stringify(INDEX)}).then(async ({ createPipeline }) => {${code}});`;
  const options = { timeout: TIMEOUT_MS };
  const { stdout } = await promisify(execFile)(process.execPath, ["--eval", program], options);
  return stdout.trim();
}

/** Writes to a pipeline and waits until its replica has it; that it has it. */
async function assertFollows(pipeline, records) {
  pipeline.insert("a", new Float32Array(4).fill(records));
  for (let at = 1; at < records; at += 1) pipeline.update(0, new Float32Array(4).fill(at));
  await pipeline.settled();
  assert.deepEqual(await pipeline.replicaPositions(), pipeline.positions());
  assert.equal(pipeline.positions()[0].sequence, BigInt(records));
  const row = new Float32Array((await pipeline.row(0)).buffer);
  assert.deepEqual([...row], Array(4).fill(records === 1 ? records : records - 1));
}

for (const mode of ["shared", "copy"]) {
  test(`${mode}: a memory that was used before serves a new pipeline`, async () => {
    const pages = { initial: 100, maximum: 100, shared: mode === "shared" };
    const memory = new WebAssembly.Memory(pages);
    const options = { dim: 4, capacity: 8, mode, memory, ringSlots: 16 };
    for (const records of [5, 12, 1]) {
      const pipeline = await createPipeline(options);
      assert.deepEqual(pipeline.lag(), { records: 0, occupancy: 0 });
      await assertFollows(pipeline, records);
      await pipeline.close();
    }
    // Whatever stands there: rings, control words, constants.
    new Uint8Array(memory.buffer).fill(1);
    const pipeline = await createPipeline(options);
    await assertFollows(pipeline, 3);
    await pipeline.checkIntegrity();
    await pipeline.close();
  });

  test(`${mode}: where one lane fails to open, no worker is left`, async () => {
    // The capture stage opens last; the throw-away instances that are asked have small memories.
    const printed = await runAlone(`
      const { instantiate } = WebAssembly;
      WebAssembly.instantiate = (module, imports) =>
        imports.env.memory.buffer.byteLength > ${4 * PAGE_SIZE}
          ? Promise.reject(new Error("no more instances"))
          : instantiate(module, imports);
      const options = { dim: 4, capacity: 9, mode: ${JSON.stringify(mode)}, workers: 3 };
      await createPipeline(options).catch(({ code }) => console.log(code));`);
    assert.equal(printed, "INSTANTIATION");
  });

  test(`${mode}: rings that cannot be are refused before anything starts`, async () => {
    const printed = await runAlone(`
      const options = { dim: 4, capacity: 9, mode: ${JSON.stringify(mode)} };
      const rings = [
        { ringSlots: 1000 }, { ringSlots: 1 }, { ringSlots: 2 ** 25 }, { ringSlots: "16" },
        { ringBytes: 0 }, { ringBytes: 1 << 30 | 8 }, { ringBytes: NaN },
      ];
      for (const ring of rings)
        await createPipeline({ ...options, ...ring }).catch(({ code }) => console.log(code));`);
    assert.equal(printed, Array(7).fill("OPTION").join("\n"));
  });

  test(`${mode}: a memory of the other kind is refused`, async () => {
    const pages = { initial: 100, maximum: 100, shared: mode !== "shared" };
    const memory = new WebAssembly.Memory(pages);
    assert.equal(await codeOf(createPipeline({ dim: 4, capacity: 8, mode, memory })), "OPTION");
  });
}

test("copy: workers that would lie in one memory are refused", async () => {
  const memory = new WebAssembly.Memory({ initial: 100, maximum: 100 });
  const options = { dim: 4, capacity: 8, mode: "copy", memory, workers: 2 };
  assert.equal(await codeOf(createPipeline(options)), "OPTION");
});

test("a memory that was used before serves a new replica", async () => {
  const memory = new WebAssembly.Memory({ initial: 100, maximum: 100 });
  const frames = Buffer.concat([...(await wireFrames("golden")).values()]);
  const states = [];
  for (const byte of [0, undefined, 1]) {
    if (byte !== undefined) new Uint8Array(memory.buffer).fill(byte);
    const replica = await createReplica({ dim: 4, capacity: 8, memory, ringSlots: 16 });
    assert.equal(replica.occupancy(), 0);
    replica.apply(frames);
    states.push({ position: replica.position(), digest: replica.digest() });
    replica.close();
  }
  assert.deepEqual(states[1], states[0]);
  assert.deepEqual(states[2], states[0]);
});

test("copy: damage in the ring is told of, after the records before it", async () => {
  const pipeline = await createPipeline({ dim: 4, capacity: 4, mode: "copy" });
  const errors = [];
  const note = (error) => errors.push(error);
  process.on("uncaughtException", note);
  try {
    // All in one task: the frames leave at its end.
    pipeline.insert("a", new Float32Array(4));
    pipeline.update(0, new Float32Array(4).fill(1));
    pipeline.update(0, new Float32Array(4).fill(2));
    const [{ memory, pieces }] = pipeline.layout();
    const ring = pieces.find(({ name }) => name === "ring from capture");
    // A byte of the third record's header: its checksum says so.
    new Uint8Array(memory.buffer)[ring.address + 2 * 64 + 16] ^= 1;
    assert.equal(await codeOf(pipeline.settled()), "CHECKSUM");
    assert.equal(await codeOf(pipeline.row(0)), "CHECKSUM");
    assert.throws(() => pipeline.update(0, new Float32Array(4)), { code: "CHECKSUM" });
    await new Promise((resolve) => setTimeout(resolve, 20));
  } finally {
    process.off("uncaughtException", note);
    await pipeline.close();
  }
  assert.deepEqual(errors, []);
});
