// Replays a stream file through the three modules in workers, as `delta replay` does a stream, and
// prints the same object. Usage: node replay.mjs X.delta [NAME]

import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { Worker } from "node:worker_threads";

import { frameHeader, HEADER_SIZE } from "../npm/src/frames.js";
import { createPipeline } from "../npm/src/index.js";
import { openStages } from "../tests/helpers.mjs";
import {
  BATCH_PREFIX_SIZE,
  BATCHED_METADATA_MAX,
  batchEntries,
  captureGroup,
  groups,
  readEvents,
  VARINT_MAX,
  vectorPayload,
} from "./events.mjs";

const BATCH = 32;
const RING_SLOTS = 4096;
const SECTION_SIZE_MAX = 65_534;
const ENTRY_PREFIX_SIZE_MAX = 12;

/** Payload bytes of the ring, as the native replay has them. */
function ringBytes(dim) {
  const needed = 2 * (16 + 4 * dim + 2 * SECTION_SIZE_MAX + 512);
  return Math.max(11 * 65_536, Math.ceil(needed / 16) * 16);
}

/** Updates that share a record, as in the native replay. */
function batchLimit(dim) {
  const room = ringBytes(dim) / 2 - BATCH_PREFIX_SIZE;
  const entry = ENTRY_PREFIX_SIZE_MAX + VARINT_MAX + 4 * dim + BATCHED_METADATA_MAX;
  return Math.max(1, Math.min(BATCH, Math.floor(room / entry)));
}

/** One pass of capture, process and apply, each in a thread of its own. */
async function pass({ sizes, events, rows, source }, oneInFlight) {
  const pipeline = await createPipeline({
    ...sizes,
    mode: "shared",
    capture: "elsewhere",
    ringSlots: RING_SLOTS,
    ringBytes: ringBytes(sizes.dim),
    spinUs: 20,
  });
  const batch = batchLimit(sizes.dim);
  const workerData = { handle: pipeline.writerHandle(), events, rows, batch, oneInFlight };
  const worker = new Worker(new URL("./writer.mjs", import.meta.url), { workerData });
  const written = await new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  const [position] = await pipeline.replicaPositions();
  const [digest] = await pipeline.replicaDigests();
  const [counters] = await pipeline.replicaCounters();
  await pipeline.checkIntegrity();
  const [{ pieces, memory }] = pipeline.layout();
  const replica = pieces.find(({ name }) => name === "replica rows");
  const expected = Buffer.from(source.tensor().bytes);
  const found = Buffer.from(memory.buffer, replica.address, expected.length);
  let difference;
  if (!expected.equals(Buffer.from(found))) difference = "a row";
  else if (digest !== source.digest()) difference = "ids, metadata or tombstones";
  else if (position.digest !== digest || position.sequence !== written.position.sequence) {
    difference = "the position";
  }
  await worker.terminate();
  await pipeline.close();
  const reader = {
    records: Number(counters.applied),
    duplicates: Number(counters.duplicates),
    // A refused record would have ended the pipeline.
    refused: 0,
    backpressure_us: 0,
    lag_records: Number(written.position.sequence - position.sequence),
  };
  const traffic = { writer: written.traffic, reader };
  return { ...written, traffic, digest, difference, pieces };
}

/**
 * What both ends counted. The modules count no bytes: those of the records are measured ones, which
 * are the same, and the reader's are the writer's if it has applied as many records.
 */
function trafficOf({ writer, reader }, { records, encoded }) {
  const encodedOf = (end) => (end.records === records ? encoded : 0);
  const rawOf = (end) => (end.records === writer.records ? writer.raw_bytes : 0);
  const all = (end) => ({ ...end, raw_bytes: rawOf(end), encoded_bytes: encodedOf(end) });
  return { writer: all(writer), reader: all(reader) };
}

/** Sizes of the records, in the order of capture: what the native replay's meter takes. */
async function measure({ sizes, events, rows }) {
  const batch = batchLimit(sizes.dim);
  const ring = { slots: 16, payloadBytes: ringBytes(sizes.dim) };
  const stagingBytes = ring.payloadBytes / 2 + 65_536;
  const { capture, process } = await openStages({ ...sizes, ring, stagingBytes });
  const updates = [];
  const total = { records: 0, encoded: 0, wire: 0, metadata: 0 };
  const add = (valueBytes, wireBytes) => updates.push({ valueBytes, wireBytes });
  const take = () => {
    const frame = process.take();
    total.records += 1;
    total.encoded += frame.length;
    return frame;
  };
  captureGroup.time = undefined;
  capture.start();
  take();
  for (const group of groups(events, batch)) {
    captureGroup(capture, group, rows, batch);
    const frame = take();
    const payload = frame.subarray(HEADER_SIZE);
    const { operation } = frameHeader(frame);
    if (operation === "update") {
      const { valueBytes, section } = vectorPayload(payload);
      total.wire += frame.length - section.length;
      total.metadata += section.length;
      add(valueBytes, frame.length - section.length);
    }
    if (operation !== "batch-update") continue;
    const shared = HEADER_SIZE + BATCH_PREFIX_SIZE;
    total.wire += shared;
    for (const { valueBytes, metadataBytes, size } of batchEntries(payload)) {
      total.wire += size - metadataBytes;
      total.metadata += metadataBytes;
      add(valueBytes, shared / group.length + size - metadataBytes);
    }
  }
  capture.end(total.records - 1);
  take();
  return { updates, total };
}

const sum = (values) => values.reduce((all, value) => all + value, 0);

function median(values) {
  if (values.length === 0) return 0;
  const sorted = Float64Array.from(values).sort();
  const [lower, upper] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return (lower + upper) / 2;
}

function percentile(sorted, percent) {
  return sorted[Math.max(Math.ceil((sorted.length * percent) / 100) - 1, 0)] ?? 0;
}

/** Bytes of the pieces whose names match. */
const bytesOf = (pieces, pattern) =>
  sum(pieces.filter(({ name }) => pattern.test(name)).map(({ size }) => size));

async function replay(path, name) {
  const stream = await readEvents(path);
  const { events, sizes } = stream;
  const throughput = await pass(stream, false);
  const latency = await pass(stream, true);
  const { updates, total } = await measure(stream);
  const count = (operation) => events.filter((event) => event.operation === operation).length;
  const raw = 4 * sizes.dim;
  const rawBytes = raw * updates.length;
  const valueBytes = sum(updates.map((update) => update.valueBytes));
  const ratio = (bytes) => (bytes === 0 ? 0 : rawBytes / bytes);
  const latencies = latency.latencies.sort();
  const difference = throughput.difference ?? latency.difference;
  const { pieces } = throughput;
  return {
    stream: name,
    dim: sizes.dim,
    deltas: events.length,
    inserts: count("insert"),
    updates: count("update"),
    deletes: count("delete"),
    records: total.records,
    raw_bytes: rawBytes,
    value_bytes: valueBytes,
    wire_bytes: total.wire,
    metadata_bytes: total.metadata,
    ratio_total: ratio(valueBytes),
    ratio_median: median(updates.map((update) => raw / update.valueBytes)),
    wire_ratio_total: ratio(total.wire),
    wire_ratio_median: median(updates.map((update) => raw / update.wireBytes)),
    deltas_per_s: events.length / (throughput.elapsedMs / 1000),
    latency_ns_p50: Math.round(percentile(latencies, 50) * 1e6),
    latency_ns_p99: Math.round(percentile(latencies, 99) * 1e6),
    memory: {
      primary_bytes: bytesOf(pieces, /^primary (rows|slots|states)/),
      // The modules have no lossy streams.
      shadow_bytes: 0,
      replica_bytes: bytesOf(pieces, /^replica (rows|slots)/),
      ring_bytes: bytesOf(pieces, /^ring/),
      attributes_bytes: bytesOf(pieces, /attributes$/),
      stream_bytes: (await readFile(path)).length + stream.rows.length,
      measurement_bytes: 16 * updates.length + latencies.byteLength,
    },
    traffic: trafficOf(throughput.traffic, total),
    replica_identical: difference === undefined,
    difference,
    digest: throughput.digest.toString(16).padStart(16, "0"),
  };
}

const [path, name = basename(path, ".delta")] = process.argv.slice(2);
console.log(JSON.stringify(await replay(path, name)));
