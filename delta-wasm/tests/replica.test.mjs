// A replica fed by frames: WIRE.md's vectors, hostile ones, and what it answers.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";

import { createReplica, DeltaError, FrameReader, frameHeader } from "../npm/src/index.js";
import { NO_SLOTS, openStages, refusal, SIMDS, wireFrames } from "./helpers.mjs";

const golden = await wireFrames("golden");
const options = { dim: 4, capacity: 8, frameBytes: 4096 };

const state = (replica) => ({
  position: replica.position(),
  digest: replica.digest(),
  counters: replica.counters(),
  rows: Buffer.from(replica.tensor().bytes).toString("hex"),
});

for (const simd of ["never", "require"]) {
  test(`simd ${simd}: the golden stream applies, frame by frame and at once`, async () => {
    const one = await createReplica({ ...options, simd });
    for (const frame of golden.values()) assert.equal(one.apply(frame), 1);
    const last = frameHeader(golden.get("end"));
    assert.equal(one.position().digest, last.digest);
    assert.equal(one.digest(), last.digest);
    assert.equal(one.position().sequence, last.sequence);
    const all = await createReplica({ ...options, simd });
    assert.equal(all.apply(Buffer.concat([...golden.values()])), golden.size);
    assert.deepEqual(state(all), state(one));
  });
}

test("through a ring: frames wait in it, a full one takes what fits, all arrive", async () => {
  const frames = Buffer.concat([...golden.values()]);
  const replica = await createReplica({ ...options, ringSlots: 4 });
  const taken = replica.give(frames);
  const first = [...golden.values()].slice(0, 4);
  assert.equal(taken, Buffer.concat(first).length);
  assert.equal(replica.occupancy(), 1);
  assert.equal(replica.position().sequence, 0n);
  assert.equal(replica.give(frames.subarray(taken)), 0);
  assert.equal(replica.poll(3), 3);
  assert.equal(replica.occupancy(), 0.25);
  assert.equal(replica.position().sequence, 3n);
  assert.equal(replica.apply(frames.subarray(taken)), golden.size - 3);
  const direct = await createReplica(options);
  direct.apply(frames);
  assert.deepEqual(state(replica), state(direct));
  replica.checkIntegrity();
  const damaged = Buffer.from(frames);
  damaged[20] ^= 1;
  assert.equal(refusal(() => replica.give(damaged)).code, "CHECKSUM");
  // Frames before a refused one are taken, and told of.
  const [one, two] = [...golden.values()];
  for (const [at, code] of [
    [one.length + 20, "CHECKSUM"],
    [one.length + 28, "FRAME_SIZE"],
  ]) {
    const another = await createReplica({ ...options, ringSlots: 4 });
    const both = Buffer.concat([one, two]);
    both[at] ^= 1;
    assert.equal(another.give(both), one.length);
    assert.equal(refusal(() => another.give(both.subarray(one.length))).code, code);
    assert.equal(another.poll(), 1);
    assert.equal(refusal(() => another.apply(both.subarray(one.length))).code, code);
    another.close();
  }
  assert.equal(refusal(() => direct.give(frames)).code, "OPTION");
  await assert.rejects(createReplica({ ...options, ringSlots: 3 }), { code: "OPTION" });
});

test("what the golden stream left can be read", async () => {
  const replica = await createReplica(options);
  replica.apply(Buffer.concat([...golden.values()]));
  assert.equal(replica.id(0), "a");
  assert.equal(replica.isDeleted(0), true);
  assert.equal(replica.isDeleted(1), false);
  const { address, dtype, shape, bytes } = replica.tensor();
  assert.equal(address % 16, 0);
  assert.equal(dtype, "f32");
  assert.deepEqual(shape, [3, 4]);
  assert.deepEqual(replica.row(2), bytes.slice(32, 48));
  assert.equal(refusal(() => replica.row(3)).code, "UNKNOWN_SLOT");
  assert.equal(refusal(() => replica.id(3)).code, "UNKNOWN_SLOT");
});

test("duplicates are skipped, gaps refused, nothing changed", async () => {
  const frames = [...golden.values()];
  const replica = await createReplica(options);
  replica.apply(Buffer.concat(frames.slice(0, 4)));
  const before = state(replica);
  const gap = refusal(() => replica.apply(frames[5]));
  assert.equal(gap.code, "GAP");
  assert.match(gap.message, /record 5 is missing/);
  assert.deepEqual(state(replica), before);
  assert.equal(replica.apply(frames[2]), 1);
  assert.equal(replica.counters().duplicates, 1n);
  assert.equal(replica.position().sequence, 4n);
});

test("every refused frame of WIRE.md is refused and changes nothing", async () => {
  const start = golden.get("start");
  const refused = await wireFrames("refused");
  assert.ok(refused.size > 20);
  for (const [name, frame] of refused) {
    const replica = await createReplica(options);
    replica.apply(start);
    const before = state(replica);
    const error = refusal(() => replica.apply(frame));
    assert.ok(error instanceof DeltaError && error.message.length > 10, name);
    assert.deepEqual(state(replica), before, name);
  }
});

test("every golden frame with any one byte changed is refused and changes nothing", async () => {
  const replica = await createReplica(options);
  const { process } = await openStages({ dim: 4 });
  for (const [name, frame] of golden) {
    const before = state(replica);
    for (let at = 0; at < frame.length; at += 1) {
      const bad = frame.slice();
      bad[at] ^= 0x10;
      assert.ok(
        refusal(() => replica.apply(bad)),
        `${name}, byte ${at}`,
      );
      assert.ok(
        refusal(() => process.check(bad)),
        `${name}, byte ${at}`,
      );
    }
    assert.deepEqual(state(replica), before, name);
    process.check(frame);
    replica.apply(frame);
  }
});

test("a lying length, a cut, an oversize frame", async () => {
  const replica = await createReplica(options);
  const frame = golden.get("start");
  const lying = frame.slice();
  new DataView(lying.buffer).setUint32(28, 0x3fffffff, true);
  assert.equal(refusal(() => replica.apply(lying)).code, "FRAME_SIZE");
  for (const size of [1, 63, 64, frame.length - 1]) {
    assert.equal(
      refusal(() => replica.apply(frame.subarray(0, size))).code,
      "FRAME_SIZE",
      `${size}`,
    );
  }
  const large = new Uint8Array(options.frameBytes + 65_536 + 4 * 4 + 1);
  large.set(frame);
  new DataView(large.buffer).setUint32(28, large.length - 64, true);
  const error = refusal(() => replica.apply(large));
  assert.equal(error.code, "FRAME_TOO_LARGE");
  assert.match(error.message, /frameBytes/);
  assert.equal(replica.position().sequence, 0n);
  assert.equal(replica.apply(frame), 1);
});

test("random bytes are refused", async () => {
  const replica = await createReplica(options);
  for (let round = 0; round < 200; round += 1) {
    const bytes = randomBytes(1 + ((round * 37) % 600));
    assert.ok(refusal(() => replica.apply(bytes)));
  }
  assert.deepEqual(replica.position(), { epoch: 1, sequence: 0n, digest: 0n });
  replica.checkIntegrity();
});

test("a replica that is full says so, and stays as it was", async () => {
  const small = await createReplica({ ...options, capacity: 1 });
  const frames = [...golden.values()];
  small.apply(Buffer.concat(frames.slice(0, 2)));
  const before = state(small);
  const error = refusal(() => small.apply(frames[2]));
  assert.equal(error.code, "STORE_FULL");
  assert.match(error.message, /capacity/);
  assert.deepEqual(state(small), before);
});

test("frames come whole out of chunks of any size, and none may be too large", () => {
  const bytes = Buffer.concat([...golden.values()]);
  for (const size of [1, 7, 64, 100, 5000]) {
    const reader = new FrameReader();
    const out = [];
    for (let at = 0; at < bytes.length; at += size)
      out.push(reader.push(bytes.subarray(at, at + size)));
    assert.deepEqual(Buffer.concat(out), bytes, `${size}`);
    assert.equal(reader.pendingBytes, 0);
  }
  const reader = new FrameReader({ frameBytes: 100 });
  const lying = golden.get("start").slice();
  new DataView(lying.buffer).setUint32(28, 1 << 30, true);
  assert.equal(refusal(() => reader.push(lying)).code, "FRAME_TOO_LARGE");
});

test("options that cannot work are refused with what to do", async () => {
  const code = (promise) =>
    promise.then(
      () => "opened",
      (error) => error.code,
    );
  assert.equal(await code(createReplica({ ...options, dim: 0 })), "OPTION");
  assert.equal(await code(createReplica({ ...options, capacity: 1.5 })), "OPTION");
  assert.equal(await code(createReplica({ ...options, simd: "yes" })), "OPTION");
  assert.equal(
    await code(createReplica({ ...options, capacity: 2 ** 31, attributeBytes: 64 })),
    "MEMORY_TOO_LARGE",
  );
  const memory = new WebAssembly.Memory({ initial: 4 });
  assert.equal(await code(createReplica({ ...options, memory })), "MEMORY_TOO_SMALL");
});

test("a replica that was closed says so, whatever it is asked", async () => {
  const replica = await createReplica({ ...options, ringSlots: 16 });
  replica.close();
  replica.close();
  const questions = {
    position: [],
    counters: [],
    digest: [],
    row: [0],
    id: [0],
    idBytes: [0],
    metadata: [0],
    metadataBytes: [0],
    isDeleted: [0],
    search: [new Float32Array(4)],
    checkIntegrity: [],
    tensor: [],
    occupancy: [],
    apply: [new Uint8Array(64)],
    give: [new Uint8Array(64)],
    poll: [],
  };
  for (const [name, args] of Object.entries(questions)) {
    assert.equal(refusal(() => replica[name](...args)).code, "CLOSED", name);
  }
});

test("what is no slot is refused by every stage", async () => {
  const { capture, process, apply } = await openStages({ dim: 2, capacity: 2 });
  const row = new Float32Array(2);
  capture.insert(new Uint8Array([7]), row);
  process.relay(1);
  apply.poll(1);
  const before = capture.position();
  for (const slot of NO_SLOTS) {
    const actions = [
      () => capture.update(slot, row),
      () => capture.updateMany([slot], row),
      () => capture.delete(slot),
      () => capture.row(slot),
      () => apply.row(slot),
      () => apply.id(slot),
      () => apply.metadata(slot),
      () => apply.isDeleted(slot),
    ];
    for (const action of actions) {
      assert.equal(refusal(action).code, "UNKNOWN_SLOT", `${slot}: ${action}`);
    }
  }
  assert.deepEqual(capture.position(), before);
});

for (const simd of SIMDS) {
  test(`${simd}: frames of JavaScript's making are those of WIRE.md`, async () => {
    const { capture, process } = await openStages({ dim: 5, capacity: 8, simd });
    capture.start();
    const frame = process.take();
    // The golden start carries three bytes of its consumer's, this one none: equal but for these.
    const header = frameHeader(frame);
    assert.equal(header.operation, "control");
    assert.equal(header.sequence, 1n);
    process.check(frame);
  });
}
