// The component by jco in Node: `cargo xtask component` builds and transpiles it, runs this, and
// says in the environment where everything is.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

import { frameHeader, frameSize } from "../npm/src/frames.js";
import { AWKWARD, bitsOf, generator, rowOf, wireFrames } from "./helpers.mjs";

const { DELTA_COMPONENT, DELTA_COMMAND } = process.env;

/** An instance of its own: its memory is shared with no other. */
let instances = 0;
async function instance() {
  instances += 1;
  const module = await import(`${pathToFileURL(DELTA_COMPONENT)}?${instances}`);
  const { deltaCapture, deltaWrite, deltaApply, deltaRead } = module;
  return { ...deltaCapture, ...deltaWrite, ...deltaApply, ...deltaRead };
}

const captureConfig = {
  dimensions: 4,
  capacity: 64,
  attributeBytes: 65536,
  retainedDeltas: 256,
  retainedBytes: 65536,
  epoch: 1,
};
const applyConfig = { ...captureConfig, undoBytes: 65536 };

/** The error of a call that must be refused. */
function refusal(action) {
  try {
    action();
  } catch (error) {
    if (error.payload?.tag) return error.payload;
    throw error;
  }
  throw new Error("it was not refused");
}

/** What `get-payload` and the header beside it would be for one frame of a stream. */
function deltaOf(frame, before = []) {
  const { sequence, operation, timestampUs, payloadSize } = frameHeader(frame);
  const header = { sequence, operation, vectorId: undefined, timestamp: timestampUs, payloadSize };
  header.checksum = new DataView(frame.buffer, frame.byteOffset).getBigUint64(32, true);
  return [header, Uint8Array.from(Buffer.concat([...before, frame]))];
}

/** The deltas of a stream: control records stand in front of the payload behind them. */
function deltasOf(frames) {
  const deltas = [];
  let before = [];
  for (const frame of frames) {
    if (frameHeader(frame).operation === "control") before.push(frame);
    else {
      deltas.push(deltaOf(frame, before));
      before = [];
    }
  }
  return deltas;
}

function framesOf(bytes) {
  const frames = [];
  for (let at = 0; at < bytes.length; at += frameSize(bytes, at))
    frames.push(bytes.subarray(at, at + frameSize(bytes, at)));
  return frames;
}

/** Moves what was captured; returns the deltas. */
function move(from, capture, to, apply) {
  const headers = from.pollDeltas(capture, 1000);
  const deltas = headers.map((header) => [header, from.getPayload(capture, header.sequence)]);
  for (const [header, payload] of deltas)
    assert.equal(to.applyDelta(apply, header, payload), header.sequence);
  return deltas;
}

test("the golden stream applies, to the digest that WIRE.md has", async () => {
  const frames = [...(await wireFrames("golden")).values()];
  const delta = await instance();
  // The bytes of the golden start's consumer name the stream.
  const id = Buffer.from(frames[0].subarray(64 + 16)).toString();
  const replica = delta.initApply(id, applyConfig);
  for (const [header, payload] of deltasOf(frames)) {
    assert.equal(delta.applyDelta(replica, header, payload), header.sequence);
    const last = payload.subarray(-frameSizeOf(payload));
    assert.equal(delta.state(replica).stateHash, frameHeader(last).digest);
  }
  const end = frameHeader(frames.at(-1));
  assert.equal(delta.currentPosition(replica), end.sequence - 1n);
  assert.equal(delta.state(replica).stateHash, end.digest);
});

/** Bytes of the last frame of a payload. */
const frameSizeOf = (payload) => framesOf(payload).at(-1).length;

test("the sample's native stream applies in batches, to the native digest", async () => {
  const folder = await mkdtemp(join(tmpdir(), "delta-component-"));
  const file = join(folder, "book_docs.delta");
  const sample = "delta-native/sample/book_docs";
  const said = execFileSync(DELTA_COMMAND, ["export", sample, "-o", file], { encoding: "utf8" });
  const frames = framesOf(new Uint8Array(await readFile(file)));
  await rm(folder, { recursive: true });
  const delta = await instance();
  const replica = delta.initApply("", {
    ...applyConfig,
    dimensions: 384,
    capacity: 600,
    attributeBytes: 1 << 20,
    undoBytes: 1 << 20,
    retainedBytes: 1 << 20,
  });
  const deltas = deltasOf(frames);
  for (let at = 0; at < deltas.length; at += 100) {
    const batch = deltas.slice(at, at + 100);
    const { lastSequence, duplicates } = delta.applyBatch(replica, batch);
    assert.equal(lastSequence, batch.at(-1)[0].sequence);
    assert.equal(duplicates, 0);
  }
  const digest = delta.state(replica).stateHash.toString(16).padStart(16, "0");
  assert.equal(digest, said.match(/digest ([0-9a-f]{16})/)[1]);
});

test("writes of one instance arrive in another, bit for bit", async () => {
  const [primary, replica] = [await instance(), await instance()];
  const capture = primary.initCapture("db", captureConfig);
  const apply = replica.initApply("db", applyConfig);
  primary.startCapture(capture);
  const next = generator(7);
  const row = () => rowOf(Array.from({ length: 4 }, () => AWKWARD[next() % AWKWARD.length]));
  const text = (value) => new TextEncoder().encode(value);
  const rows = [];
  for (let slot = 0; slot < 20; slot += 1) {
    rows.push(row());
    primary.setTimestamp(capture, BigInt(slot));
    const metadata = [["title", text(`number ${slot}`)]];
    assert.equal(primary.insert(capture, text(`doc-${slot}`), rows[slot], metadata), slot);
  }
  for (let change = 0; change < 100; change += 1) {
    const slot = next() % 19;
    rows[slot] = row();
    primary.update(capture, slot, rows[slot], change % 3 === 0 ? [["n", text(`${change}`)]] : []);
  }
  primary.update(capture, 3, rows[3], [["title", undefined]]);
  primary.delete(capture, 19);
  const deltas = move(primary, capture, replica, apply);
  assert.equal(deltas[0][0].vectorId, "doc-0");
  assert.equal(deltas.at(-1)[0].operation, "delete");
  assert.equal(deltas.at(-1)[0].vectorId, "doc-19");
  rows.forEach((bits, slot) => assert.deepEqual(bitsOf(replica.row(apply, slot)), bitsOf(bits)));
  assert.equal(replica.isDeleted(apply, 19), true);
  assert.equal(Buffer.from(replica.id(apply, 4)).toString(), "doc-4");
  assert.equal(replica.metadata(apply, 3).some(([key]) => key === "title"), false);
  const [mine, theirs] = [primary.checkpoint(capture), replica.state(apply)];
  assert.deepEqual(theirs, mine);

  // Back to the tenth insert and forward again: every state is one that was.
  replica.seek(apply, 11n);
  assert.equal(replica.currentPosition(apply), 11n);
  assert.equal(replica.state(apply).slotCount, 10);
  replica.seek(apply, mine.sequence);
  assert.equal(replica.state(apply).stateHash, mine.stateHash);
  assert.deepEqual(refusal(() => replica.seek(apply, mine.sequence + 1n)), {
    tag: "not-yet",
    val: mine.sequence,
  });
});

test("a frame decodes to what it changes", async () => {
  const delta = await instance();
  const capture = delta.initCapture("db", captureConfig);
  const apply = delta.initApply("db", applyConfig);
  delta.startCapture(capture);
  const row = new Float32Array([1, 2, 3, 4]);
  delta.insert(capture, new TextEncoder().encode("a"), new Uint8Array(row.buffer), []);
  move(delta, capture, delta, apply);
  row[2] = 5;
  delta.update(capture, 0, new Uint8Array(row.buffer), [["k", new TextEncoder().encode("v")]]);
  const [header] = delta.pollDeltas(capture, 9);
  const vector = delta.vector(apply, delta.getPayload(capture, header.sequence));
  assert.deepEqual([...vector.changedDims], [2]);
  assert.deepEqual([...vector.newValues], [5]);
  assert.deepEqual(vector.metadataDelta, [["k", "v"]]);
});

test("hostile frames and headers are refused and change nothing", async () => {
  const delta = await instance();
  const capture = delta.initCapture("db", captureConfig);
  const apply = delta.initApply("db", applyConfig);
  delta.startCapture(capture);
  for (let slot = 0; slot < 3; slot += 1)
    delta.insert(capture, Uint8Array.of(65 + slot), rowOf([1, 2, 3, slot]), []);
  const headers = delta.pollDeltas(capture, 9);
  const deltas = headers.map((header) => [header, delta.getPayload(capture, header.sequence)]);
  delta.applyDelta(apply, ...deltas[0]);
  const before = delta.state(apply);
  const [header, payload] = deltas[1];
  const refused = (changed, bytes) => {
    const { tag } = refusal(() => delta.applyDelta(apply, changed, bytes));
    assert.deepEqual(delta.state(apply), before);
    return tag;
  };
  for (const [field, value] of [
    ["sequence", 9n],
    ["operation", "delete"],
    ["vectorId", "Z"],
    ["timestamp", 9n],
    ["payloadSize", 9],
    ["checksum", 9n],
  ])
    assert.equal(refused({ ...header, [field]: value }, payload), "projection");
  for (let at = 0; at < payload.length; at += 1) {
    const damaged = payload.slice();
    damaged[at] ^= 1;
    refused(header, damaged);
  }
  const damaged = payload.slice();
  damaged[damaged.length - 1] ^= 1;
  assert.equal(refused(header, damaged), "checksum-mismatch");
  assert.equal(refused(header, payload.subarray(0, payload.length - 1)), "malformed");
  assert.equal(refused(header, new Uint8Array(0)), "malformed");
  assert.equal(refused(...deltas[2]), "gap");
  // All or none: the second of the batch does not follow.
  refusal(() => delta.applyBatch(apply, [deltas[1], [header, damaged]]));
  refusal(() => delta.applyBatch(apply, [deltas[2], deltas[1]]));
  assert.deepEqual(delta.state(apply), before);
  const other = delta.initApply("another", applyConfig);
  assert.equal(refusal(() => delta.applyDelta(other, ...deltas[0])).tag, "refused");
});

test("calls that cannot be are refused with what to do", async () => {
  const delta = await instance();
  const capture = delta.initCapture("db", captureConfig);
  const row = rowOf([1, 2, 3, 4]);
  const insert = (id = Uint8Array.of(65), bits = row) => delta.insert(capture, id, bits, []);
  assert.equal(refusal(() => insert()).tag, "not-started");
  delta.startCapture(capture);
  assert.equal(refusal(() => delta.startCapture(capture)).tag, "started");
  assert.deepEqual(refusal(() => delta.checkpoint(9)), { tag: "unknown-handle", val: 9 });
  assert.equal(refusal(() => insert(Uint8Array.of())).tag, "invalid-argument");
  assert.equal(refusal(() => insert(undefined, row.subarray(1))).tag, "invalid-argument");
  assert.deepEqual(refusal(() => delta.update(capture, 5, row, [])), {
    tag: "unknown-slot",
    val: 5,
  });
  for (const [field, value] of [
    ["dimensions", 0],
    ["dimensions", 2 ** 32 - 1],
    ["capacity", 0],
    ["epoch", 0],
    ["retainedDeltas", 0],
  ])
    assert.equal(
      refusal(() => delta.initCapture("db", { ...captureConfig, [field]: value })).tag,
      "config",
    );
  const huge = { ...captureConfig, dimensions: 65536, capacity: 2 ** 31 };
  assert.equal(refusal(() => delta.initCapture("db", huge)).tag, "out-of-memory");
  assert.equal(refusal(() => delta.getPayload(capture, 99n)).tag, "not-yet");
  for (let slot = 0; slot < 64; slot += 1) insert(Uint8Array.of(65, slot));
  assert.equal(refusal(() => insert()).tag, "full");
  const small = delta.initCapture("db", { ...captureConfig, retainedDeltas: 4 });
  delta.startCapture(small);
  for (let slot = 0; slot < 9; slot += 1) delta.insert(small, Uint8Array.of(65, slot), row, []);
  assert.equal(refusal(() => delta.pollDeltas(small, 9)).tag, "too-old");
});
