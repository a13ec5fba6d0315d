// The threads of `pipeline.mjs`.

import { parentPort, workerData } from "node:worker_threads";

import { openWriter } from "../npm/src/index.js";
import { ProcessStage } from "../npm/src/stages.js";
import { generator, openStages } from "../tests/helpers.mjs";

const ROWS = 4096;
const DIM = 384;
const CHANGED = 19;
const RING_BYTES = 400 << 20;

async function writer({ handle }) {
  const { stage, appliedCount } = await openWriter(handle);
  // Fresh values: of few distinct ones, such as whole numbers, rows are packed in another way.
  const value = () => Math.random() - 0.5;
  const rows = Array.from({ length: ROWS }, () => Float32Array.from({ length: DIM }, value));
  let captured = 0;
  const send = (action) => {
    for (;;) {
      try {
        action();
        break;
      } catch (error) {
        if (error.code !== "RING_FULL") throw error;
      }
    }
    captured = (captured + 1) | 0;
  };
  const settle = () => {
    while (appliedCount() !== captured);
  };
  rows.forEach((initial, slot) =>
    send(() => stage.insert(new TextEncoder().encode(`${slot}`), initial)),
  );
  settle();
  const change = (at) => {
    const slot = (at * 1039) % ROWS;
    for (let lane = 0; lane < CHANGED; lane += 1) {
      rows[slot][(at * 7 + lane * 20 + (at % 13) * lane) % DIM] = value();
    }
    return slot;
  };
  const latencies = [];
  for (let at = 0; at < 40_000; at += 1) {
    const slot = change(at);
    const before = performance.now();
    stage.update(slot, rows[slot]);
    captured = (captured + 1) | 0;
    settle();
    if (at >= 10_000) latencies.push(performance.now() - before);
  }
  const count = 200_000;
  const started = performance.now();
  for (let at = 0; at < count; at += 1) {
    const slot = change(at);
    send(() => stage.update(slot, rows[slot]));
  }
  settle();
  return { latencies, perSecond: (count * 1000) / (performance.now() - started) };
}

/** Frames of 384-d updates: raw, of random bits, or packed, of one value. */
async function frames(count, isRaw) {
  const { capture, process } = await openStages({ dim: DIM, capacity: 1 });
  const random = generator(1);
  const row = new Uint32Array(DIM);
  capture.insert(new Uint8Array([1]), row);
  process.take();
  const all = [];
  for (let at = 0; at < count; at += 1) {
    if (isRaw) row.forEach((_, lane) => (row[lane] = random()));
    else new Float32Array(row.buffer).fill(at + 1);
    capture.update(0, row);
    all.push(process.take());
  }
  return all;
}

async function giver({ module, memory, place, layout, isRaw }) {
  const stage = await ProcessStage.open(module, memory, place, layout);
  const all = await frames(100, isRaw);
  const batch = Buffer.concat(all);
  const address = stage.put(batch, 0);
  let bytes = 0;
  while (bytes < RING_BYTES) {
    let sent = 0;
    while (sent < batch.length) sent += stage.call("give", address + sent, batch.length - sent);
    bytes += sent;
  }
  return { bytes, frameBytes: all.at(-1).length };
}

async function taker({ module, memory, place, layout }) {
  const stage = await ProcessStage.open(module, memory, place, layout);
  let [bytes, started] = [0, 0];
  while (bytes < RING_BYTES) {
    bytes += stage.call("take", place.staging, place.stagingBytes);
    if (bytes > 0 && started === 0) started = performance.now();
  }
  return { elapsedMs: performance.now() - started };
}

const roles = { writer, giver, taker };
parentPort.postMessage(await roles[workerData.role](workerData));
