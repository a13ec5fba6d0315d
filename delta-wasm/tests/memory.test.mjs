// What lies where: nothing overlaps, and what goes wrong there is said.

import assert from "node:assert/strict";
import { test } from "node:test";

import { createPipeline, createReplica, frameHeader } from "../npm/src/index.js";
import { CANARY_SIZE, PAGE_SIZE } from "../npm/src/memory.js";
import { compile } from "../npm/src/modules.js";
import "./end.mjs";
import { generator, openStages, refusal, SIMDS, wireFrames } from "./helpers.mjs";

const overlaps = (a, b) => a.address < b.address + b.size && b.address < a.address + a.size;

function assertDisjoint(pieces) {
  pieces.forEach((a, index) =>
    pieces.slice(index + 1).forEach((b) => assert.ok(!overlaps(a, b), `${a.name} and ${b.name}`)),
  );
}

for (const variant of ["plain-scalar", "plain-simd128", "shared-scalar", "shared-simd128"]) {
  test(`${variant}: constants of the modules lie in pages of their own`, async () => {
    const statics = [];
    for (const [index, name] of ["capture", "process", "apply"].entries()) {
      const module = await compile(name, variant);
      const memory = new WebAssembly.Memory({
        initial: 4,
        maximum: 4,
        shared: variant.startsWith("shared"),
      });
      const host = { env: { memory }, delta: { wait() {}, wake() {} } };
      const { exports } = await WebAssembly.instantiate(module, host);
      const address = (index + 1) * PAGE_SIZE;
      const end = exports.__heap_base.value;
      assert.ok(end <= address + PAGE_SIZE, `${name} ends at ${end}`);
      statics.push({ name, address, size: end - address });
      const used = new Uint8Array(memory.buffer).findLastIndex((byte) => byte !== 0);
      assert.ok(used < end, `${name} has written to ${used}`);
      const kinds = WebAssembly.Module.imports(module).map(
        ({ module, name }) => `${module}.${name}`,
      );
      assert.deepEqual(
        kinds.filter((kind) => !/^(env.memory|delta.wait|delta.wake)$/.test(kind)),
        [],
      );
    }
    assertDisjoint(statics);
  });
}

test("stacks, contexts, rings and tables of all instances are disjoint", async () => {
  const pipeline = await createPipeline({ dim: 3, capacity: 30, mode: "shared", workers: 3 });
  const [{ pieces, memory }] = pipeline.layout();
  assert.equal(pieces.filter(({ name }) => name.endsWith("stack")).length, 9);
  const constants = [1, 2, 3].map((page) => ({
    name: `constants ${page}`,
    address: page * PAGE_SIZE,
    size: PAGE_SIZE,
  }));
  assertDisjoint([...constants, ...pieces]);
  for (const { name, address, size } of pieces) {
    assert.equal(address % 16, 0, name);
    assert.ok(address + size <= memory.buffer.byteLength, name);
  }
  assert.ok(
    pipeline.layout().every((lane) => lane.memory === memory),
    "one memory for all",
  );
  await pipeline.close();
});

test("a stage writes to its own pieces alone", async () => {
  const { plan, memory, capture, process, apply } = await openStages({ dim: 6, capacity: 4 });
  const bytes = new Uint8Array(memory.buffer);
  const mine = new Map([
    [capture, /^(capture|primary|ring from capture)/],
    [process, /^(process|ring)/],
    [apply, /^(apply|replica|scratch|ring to apply)/],
  ]);
  const acts = new Map([
    [capture, () => capture.insert(new Uint8Array([7]), new Float32Array(6).fill(1.5))],
    [process, () => process.relay(4)],
    [apply, () => apply.poll(4)],
  ]);
  for (const [stage, act] of acts) {
    const before = bytes.slice();
    act();
    const changed = [...bytes.keys()].filter((at) => bytes[at] !== before[at]);
    for (const at of changed) {
      const { name } = plan.pieces.find(
        ({ address, size }) => at >= address && at < address + size,
      );
      assert.match(name, mine.get(stage), `${stage.name} wrote to ${name}`);
    }
    assert.ok(changed.length > 0);
  }
});

test("a stack that overflows is found by its canary", async () => {
  const { memory, apply } = await openStages({ dim: 2 });
  apply.checkCanary();
  new Uint8Array(memory.buffer)[apply.place.stack + CANARY_SIZE - 1] ^= 1;
  assert.equal(refusal(() => apply.checkCanary()).code, "STACK_OVERFLOW");
});

for (const simd of SIMDS) {
  test(`${simd}: addresses that a host gets wrong are refused`, async () => {
    const { capture, apply, process } = await openStages({ dim: 2, simd });
    const { staging, stagingBytes, context } = capture.place;
    const random = generator(9);
    capture.insert(new Uint8Array([1]), new Float32Array(2));
    const before = capture.position();
    const addresses = [
      0,
      4,
      staging - 16,
      staging + stagingBytes,
      staging + stagingBytes - 4,
      apply.place.staging,
      context,
      2 ** 32 - 16,
      ...Array.from({ length: 50 }, random),
    ];
    for (const address of addresses) {
      const inside = address >= staging && address + 8 <= staging + stagingBytes;
      if (inside && address % 16 === 0) continue;
      const { code } = refusal(() => capture.call("update", 0, address, 0, 0));
      assert.match(code, /OUT_OF_STAGING|MISALIGNED/, `${address}`);
      assert.throws(() => process.call("check", address, 2 ** 32 - 1), { code: "OUT_OF_STAGING" });
    }
    const tensor = capture.put(new Uint8Array(32).fill(255), 64);
    assert.equal(refusal(() => capture.call("update_many", staging, 1, tensor)).code, "TENSOR");
    assert.equal(refusal(() => apply.call("frames", 0, 0)).code, "NO_RING");
    for (const at of [0, 64, staging, 2 ** 32 - 128]) {
      assert.equal(capture.exports.delta_capture_position(at, staging), -5, `${at}`);
    }
    assert.deepEqual(capture.position(), before);
  });

  test(`${simd}: a layout that cannot be is refused`, async () => {
    const stages = await openStages({ dim: 2, simd });
    const { apply, memory } = stages;
    const reopen = (changes) =>
      refusal(() => {
        const place = { ...apply.place, ...changes.place };
        Object.assign(apply, { place, layout: { ...apply.layout, ...changes.layout } });
        new apply.constructor("apply", apply.exports, memory, place, apply.layout);
      }).code;
    const { layout, place } = apply;
    const anew = (changes) => {
      Object.assign(apply, { layout, place });
      return reopen(changes);
    };
    const end = memory.buffer.byteLength;
    assert.equal(anew({ layout: { dim: 0 } }), "LAYOUT");
    assert.equal(anew({ layout: { rows: layout.slots } }), "OVERLAP");
    assert.equal(anew({ layout: { rows: layout.rows + 4 } }), "MISALIGNED");
    assert.equal(anew({ layout: { capacity: end } }), "MEMORY_TOO_SMALL");
    assert.equal(anew({ layout: { attributes: end - 16 } }), "MEMORY_TOO_SMALL");
    assert.equal(anew({ layout: { source: { ...layout.source, slots: 3 } } }), "RING");
    assert.equal(anew({ layout: { source: { ...layout.source, slots: 64 } } }), "RING");
    assert.equal(anew({ layout: { scratch: place.context, scratchBytes: 64 } }), "OVERLAP");
  });
}

test("damage in a ring is found, and the replica stays as it was", async () => {
  const { memory, capture, process, apply, captured, relayed } = await openStages({ dim: 4 });
  capture.insert(new Uint8Array([1]), new Float32Array(4));
  process.relay(1);
  apply.poll(1);
  const before = apply.position();
  capture.update(0, new Float32Array(4).fill(1));
  // A header that lies about its payload's size: the sum says so.
  const view = new DataView(memory.buffer);
  view.setUint32(captured.address + 64 + 28, 3, true);
  assert.match(refusal(() => process.relay(1)).code, /CHECKSUM|RING_CORRUPT/);
  // A stamp that is neither ready nor empty.
  view.setUint32(relayed.address + 64 + 48, 12345, true);
  assert.equal(refusal(() => apply.poll(1)).code, "RING_CORRUPT");
  assert.equal(refusal(() => apply.poll(1)).code, "RING_CORRUPT", "it is poisoned");
  assert.deepEqual(apply.position(), before);
});

test("frames before a damaged record are taken, and it is told of then", async () => {
  const { memory, capture, process, captured } = await openStages({ dim: 4 });
  for (const id of [1, 2, 3]) capture.insert(new Uint8Array([id]), new Float32Array(4));
  // The time of the third record, which its checksum covers.
  new DataView(memory.buffer).setUint8(captured.address + 2 * 64 + 16, 1);
  const frames = process.take();
  assert.equal(frameHeader(frames).sequence, 1n);
  assert.equal(frameHeader(frames, frames.length / 2).sequence, 2n);
  assert.equal(refusal(() => process.take()).code, "CHECKSUM");
  assert.equal(refusal(() => process.take()).code, "CHECKSUM");
});

test("without simd128 or shared memory there are other modules, or a clear refusal", async () => {
  const code = (promise) =>
    promise.then(
      (opened) => (opened.close(), opened.mode ?? "opened"),
      (e) => e.code,
    );
  const { validate } = WebAssembly;
  const shared = globalThis.SharedArrayBuffer;
  const golden = Buffer.concat([...(await wireFrames("golden")).values()]);
  const options = { dim: 4, capacity: 8 };
  try {
    WebAssembly.validate = () => false;
    assert.equal(await code(createReplica({ ...options, simd: "require" })), "SIMD_UNAVAILABLE");
    const replica = await createReplica(options);
    assert.equal(replica.stage.exports.delta_features(), 0);
    replica.apply(golden);
    globalThis.SharedArrayBuffer = undefined;
    const pipeline = { ...options, mode: "shared" };
    assert.equal(await code(createPipeline(pipeline)), "SHARED_MEMORY_UNAVAILABLE");
    assert.equal(await code(createPipeline({ ...options, mode: "auto" })), "copy");
  } finally {
    WebAssembly.validate = validate;
    globalThis.SharedArrayBuffer = shared;
  }
});
