// The writing thread of a replay: opens the write hooks and captures events, all at once or one by
// one.

import { parentPort, workerData } from "node:worker_threads";

import { openWriter } from "../npm/src/index.js";
import { captureGroup, groups } from "./events.mjs";

const { handle, events, rows, batch, oneInFlight } = workerData;
const writer = await openWriter(handle);
const { stage } = writer;
let captured = 0;
let waitedMs = 0;
/** Looks for a while, then sleeps, until the replica has all. */
function settle() {
  let looks = 0;
  for (;;) {
    const seen = writer.appliedCount();
    if (seen === captured) return;
    looks += 1;
    if (looks > 2000) writer.waitApplied(seen, 10);
  }
}
/** Captures; where the ring is full, sleeps until there is room. */
function capture(action) {
  for (;;) {
    try {
      action();
      break;
    } catch (error) {
      if (error.code !== "RING_FULL") throw error;
      const before = performance.now();
      stage.wait(Number(error.details[0]));
      waitedMs += performance.now() - before;
    }
  }
  captured = (captured + 1) | 0;
}

capture(() => stage.start());
settle();
const latencies = new Float64Array(oneInFlight ? events.length : 0);
const started = performance.now();
let records = 0;
let rowCount = 0;
for (const group of groups(events, oneInFlight ? 1 : batch)) {
  const before = oneInFlight ? performance.now() : 0;
  capture(() => captureGroup(stage, group, rows, oneInFlight ? 1 : batch));
  if (oneInFlight) {
    settle();
    latencies[records] = performance.now() - before;
  }
  records += 1;
  if (group[0].operation !== "delete") rowCount += group.length;
}
capture(() => stage.end(records));
settle();
const elapsedMs = performance.now() - started;
stage.checkCanary();
const traffic = {
  records: captured,
  duplicates: 0,
  // Any refusal but that of a full ring has ended this thread.
  refused: 0,
  raw_bytes: 4 * stage.layout.dim * rowCount,
  backpressure_us: Math.round(waitedMs * 1000),
  lag_records: 0,
};
parentPort.postMessage({ elapsedMs, latencies, position: stage.position(), traffic });
