// Follows the stream: fetches frames, applies them to a replica, answers what the page asks.

import { createReplica, FrameReader } from "./delta-wasm/src/index.js";
import { entryOf } from "./entry.js";
import { openKept } from "./kept.js";

const TELL_MS = 100;
const POLL_MS = 500;
const RETRY_MS = 500;
const FOUND_MAX = 12;
const K = 10;
/** Slots of the ring between network and replica. */
const RING_SLOTS = 1024;
/** Records applied in one go; in between the worker answers and receives. */
const TURN = 64;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const frameBytes = () => Math.max(description.frame_bytes_max, 1 << 20);

/** Lets other tasks run, sooner than a timer would. */
function yieldToTasks() {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

let description;
let replica;
let kept;
/** Sequence that the replica had got from what was kept. */
let resumedAt = 0n;
/** Fullest that the ring was since it was told, 0 to 1. */
let occupancyMax = 0;
/** Whether somebody empties the ring. */
let isApplying = false;
let problem;
let isOver = false;
let state = "loading";
/** Slot whose neighbours are shown. */
let chosen;
let bytes = 0;
let restarts = 0;
let waitingBytes = 0;
let rate = { at: performance.now(), applied: 0, perSecond: 0 };
let searchUs = 0;
let toldSequence;

async function describe() {
  const response = await fetch("stream.json");
  if (!response.ok) throw new Error(`stream.json: status ${response.status}`);
  description = await response.json();
}

async function openReplica() {
  replica?.close();
  const { dim, slots, graph } = description;
  const capacity = Math.max(slots, 1);
  replica = await createReplica({
    dim,
    capacity,
    frameBytes: frameBytes(),
    ringSlots: RING_SLOTS,
    graph: graph ?? undefined,
  });
  isOver = false;
  chosen = undefined;
  resumedAt = 0n;
}

/** Makes the replica of what was kept; if that is damaged or another stream's, of nothing. */
async function resume() {
  try {
    const reader = new FrameReader({ frameBytes: frameBytes() });
    for (const chunk of kept.chunks()) replica.apply(reader.push(chunk));
    // The page may have been closed while a frame was written.
    kept.cut(kept.bytes - reader.pendingBytes);
    resumedAt = replica.position().sequence;
  } catch {
    await startAnew();
  }
}

async function startAnew() {
  kept.cut(0);
  await openReplica();
}

const entry = (slot) => entryOf(slot, replica.id(slot), replica.metadata(slot));

function find(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = [];
  const slots = Number(replica.counters().slots);
  for (let slot = 0; slot < slots && found.length < FOUND_MAX; slot += 1) {
    if (replica.isDeleted(slot)) continue;
    const candidate = entry(slot);
    const name = `${candidate.heading} ${candidate.id}`.toLowerCase();
    if (words.every((word) => name.includes(word))) found.push(candidate);
  }
  return found;
}

function neighbours() {
  const slots = Number(replica.counters().slots);
  if (chosen === undefined) {
    for (let slot = 0; slot < slots && chosen === undefined; slot += 1)
      if (!replica.isDeleted(slot)) chosen = slot;
  }
  if (chosen === undefined) return undefined;
  const begin = performance.now();
  const hits = replica.search(replica.row(chosen), {
    k: K + 1,
    metric: description.graph?.metric ?? "cosine",
  });
  searchUs = Math.round((performance.now() - begin) * 1000);
  const others = hits.filter(({ slot }) => slot !== chosen).slice(0, K);
  return {
    of: { ...entry(chosen), isDeleted: replica.isDeleted(chosen) },
    hits: others.map((hit) => ({ ...hit, ...entry(hit.slot) })),
  };
}

function measure(applied) {
  const now = performance.now();
  if (now - rate.at < 1000) return;
  const perSecond = Math.max(0, ((applied - rate.applied) * 1000) / (now - rate.at));
  rate = { at: now, applied, perSecond };
}

function tell() {
  const { sequence, digest } = replica.position();
  const counters = replica.counters();
  measure(Number(sequence));
  const key = `${restarts} ${sequence} ${chosen}`;
  const message = { kind: "progress", state, description, bytes, waitingBytes, restarts };
  Object.assign(message, {
    sequence: Number(sequence),
    digest: digest.toString(16).padStart(16, "0"),
    duplicates: Number(counters.duplicates),
    slots: Number(counters.slots),
    lag: Math.max(0, description.records - Number(sequence)),
    perSecond: rate.perSecond,
    resumedAt: Number(resumedAt),
    keptBytes: kept.bytes,
    occupancy: replica.occupancy(),
    occupancyMax,
  });
  occupancyMax = 0;
  if (key !== toldSequence) {
    message.neighbours = neighbours();
    message.searchUs = searchUs;
    toldSequence = `${restarts} ${sequence} ${chosen}`;
  }
  postMessage(message);
}

/** Reads frames from where the replica is, until the stream ends or breaks off. */
async function follow() {
  while (isApplying) await yieldToTasks();
  if (problem) throw problem;
  const { sequence, digest } = replica.position();
  const response = await fetch(`frames?after=${sequence}&digest=${digest.toString(16)}`);
  if (response.status === 409) {
    await describe();
    await startAnew();
    restarts += 1;
    return;
  }
  if (!response.ok) throw new Error(`frames: status ${response.status}`);
  state = isOver ? "ended" : "live";
  const frames = new FrameReader({ frameBytes: frameBytes() });
  for await (const chunk of chunks(response.body)) {
    bytes += chunk.length;
    const whole = frames.push(chunk);
    waitingBytes = frames.pendingBytes;
    await give(whole);
  }
  while (isApplying) await yieldToTasks();
  waitingBytes = 0;
  isOver = Number(replica.position().sequence) >= description.records_total;
  state = isOver ? "ended" : "reconnecting";
}

/** Puts frames into the ring, waiting for room where it is full. */
async function give(frames) {
  for (let taken = 0; taken < frames.length; ) {
    if (problem) throw problem;
    const given = replica.give(frames.subarray(taken));
    kept.add(frames.subarray(taken, taken + given));
    taken += given;
    occupancyMax = Math.max(occupancyMax, replica.occupancy());
    if (!isApplying) applyAll();
    if (given === 0) await yieldToTasks();
  }
}

/** Empties the ring, a turn at a time. */
async function applyAll() {
  isApplying = true;
  try {
    while (replica.poll(TURN) > 0) {
      if (toldSequence === undefined) tell();
      await yieldToTasks();
    }
  } catch (error) {
    // What is refused stays refused: kept, it would be so again.
    kept.cut(0);
    problem = error;
    postMessage({ kind: "problem", text: error.message });
  } finally {
    isApplying = false;
  }
}

async function* chunks(body) {
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

const questions = { find: ({ text }) => find(text) };

addEventListener("message", ({ data }) => {
  if (!replica) return;
  if (data.kind === "choose") {
    chosen = data.slot;
    tell();
    return;
  }
  postMessage({ kind: data.kind, id: data.id, answer: questions[data.kind]?.(data) });
});

async function poll() {
  for (;;) {
    await sleep(POLL_MS);
    // A server that is away shows as the state; the records it had out stay.
    await describe().catch(() => {});
    kept.flush();
  }
}

async function run() {
  [kept] = await Promise.all([openKept(), describe()]);
  await openReplica();
  await resume();
  tell();
  setInterval(tell, TELL_MS);
  poll();
  for (;;) {
    try {
      await follow();
    } catch (error) {
      // A refused frame stays refused: only what the network did is tried again.
      if (typeof error.code === "string") throw error;
      state = "reconnecting";
    }
    await sleep(RETRY_MS);
  }
}

run().catch((error) => postMessage({ kind: "problem", text: error.message }));
