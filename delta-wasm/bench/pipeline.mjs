// Times a pipeline in Node's workers: the latency of one update in flight, updates a second, and
// bytes a second through a ring.

import { Worker } from "node:worker_threads";

import { createPipeline } from "../npm/src/index.js";
import { createRing, Plan } from "../npm/src/memory.js";
import { compile, variantOf } from "../npm/src/modules.js";
import { contextSize } from "../npm/src/stages.js";

const url = new URL("./pipeline-worker.mjs", import.meta.url);

/** Starts a worker; resolves with its first message. */
function start(workerData) {
  const worker = new Worker(url, { workerData });
  const result = new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  return { worker, result };
}

function percentile(values, percent) {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.ceil((sorted.length * percent) / 100) - 1];
}

/** Capture in one worker, apply in another, 384-d rows of which 5% change. */
async function updates() {
  const options = { dim: 384, capacity: 4096, mode: "shared", capture: "elsewhere" };
  const pipeline = await createPipeline({ ...options, process: "none", spinUs: 10_000 });
  const { worker, result } = start({ role: "writer", handle: pipeline.writerHandle() });
  const { latencies, perSecond } = await result;
  await worker.terminate();
  await pipeline.close();
  const us = (percent) => (percentile(latencies, percent) * 1000).toFixed(2);
  console.log(`update, capture to applied, one in flight: p50 ${us(50)} us, p99 ${us(99)} us`);
  console.log(`updates a second, two workers: ${Math.round(perSecond)}`);
}

/** Frames from one worker's staging area to another's, each checked twice. */
async function ring(isRaw) {
  const module = await compile("process", variantOf({ shared: true }));
  const contextBytes = await contextSize(module, "process", true);
  const plan = new Plan();
  const shape = plan.ring("ring", { slots: 4096, payloadBytes: 4 << 20 });
  const place = () => plan.stage("process", { contextSize: contextBytes, stagingBytes: 1 << 18 });
  const places = [place(), place()];
  const memory = plan.memory({ shared: true });
  createRing(memory, shape);
  const common = { module, memory };
  const reader = start({ ...common, role: "taker", place: places[1], layout: { source: shape } });
  const giver = { role: "giver", isRaw, place: places[0], layout: { target: shape } };
  const writer = start({ ...common, ...giver });
  const { bytes, frameBytes } = await writer.result;
  const { elapsedMs } = await reader.result;
  await Promise.all([reader.worker.terminate(), writer.worker.terminate()]);
  const perSecond = (bytes / elapsedMs / frameBytes / 1000).toFixed(2);
  const rate = `${Math.round(bytes / elapsedMs / 1000)} MB/s, ${perSecond} M frames/s`;
  console.log(`ring, ${frameBytes}-byte frames: ${rate}`);
}

await ring(true);
await ring(false);
await updates();
