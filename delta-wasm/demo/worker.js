// Follows the stream: fetches frames, applies them to a replica, answers what the page asks.

import { createReplica, FrameReader } from "./delta-wasm/src/index.js";

const TELL_MS = 100;
const POLL_MS = 500;
const RETRY_MS = 500;
const FOUND_MAX = 12;
const K = 10;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let description;
let replica;
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
  const { dim, slots, frame_bytes_max } = description;
  const frameBytes = Math.max(frame_bytes_max, 1 << 20);
  replica = await createReplica({ dim, capacity: Math.max(slots, 1), frameBytes });
  isOver = false;
  chosen = undefined;
}

/** What a person reads of an entry. Values of metadata are JSON, as in the stream's file. */
function entry(slot) {
  const { meta = "{}" } = replica.metadata(slot);
  const { h = "", rel = "" } = JSON.parse(meta);
  return { slot, id: replica.id(slot), heading: String(h), version: String(rel) };
}

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
  const hits = replica.search(replica.row(chosen), { k: K + 1, metric: "cosine" });
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
  if (!replica) return;
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
  });
  if (key !== toldSequence) {
    message.neighbours = neighbours();
    message.searchUs = searchUs;
    toldSequence = `${restarts} ${sequence} ${chosen}`;
  }
  postMessage(message);
}

/** Reads frames from where the replica is, until the stream ends or breaks off. */
async function follow() {
  const { sequence, digest } = replica.position();
  const response = await fetch(`frames?after=${sequence}&digest=${digest.toString(16)}`);
  if (response.status === 409) {
    await describe();
    await openReplica();
    restarts += 1;
    return;
  }
  if (!response.ok) throw new Error(`frames: status ${response.status}`);
  state = isOver ? "ended" : "live";
  const frames = new FrameReader({ frameBytes: Math.max(description.frame_bytes_max, 1 << 20) });
  for await (const chunk of chunks(response.body)) {
    bytes += chunk.length;
    const whole = frames.push(chunk);
    waitingBytes = frames.pendingBytes;
    if (whole.length > 0) {
      replica.apply(whole);
      if (toldSequence === undefined) tell();
    }
  }
  waitingBytes = 0;
  isOver = Number(replica.position().sequence) >= description.records_total;
  state = isOver ? "ended" : "reconnecting";
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
  }
}

async function run() {
  await describe();
  await openReplica();
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
