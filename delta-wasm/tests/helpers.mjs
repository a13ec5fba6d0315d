// What the tests share: stages on a memory of their own, WIRE.md's frames, patterns.

import { readFile } from "node:fs/promises";

import { createRing, Plan } from "../npm/src/memory.js";
import { compile } from "../npm/src/modules.js";
import { planApply, storeOptions } from "../npm/src/replica.js";
import { ApplyStage, CaptureStage, contextSize, ProcessStage } from "../npm/src/stages.js";

export const SIMDS = ["scalar", "simd128"];

/** All stages in one thread on one plain memory: capture -> ring -> process -> ring -> apply. */
export async function openStages({
  dim,
  capacity = 64,
  simd = "simd128",
  ring,
  stagingBytes = 1 << 20,
}) {
  const variant = `plain-${simd}`;
  const names = ["capture", "process", "apply"];
  const modules = await Promise.all(names.map((name) => compile(name, variant)));
  const contexts = await Promise.all(
    names.map((name, at) => contextSize(modules[at], name, false)),
  );
  const plan = new Plan();
  const shape = ring ?? { slots: 128, payloadBytes: 1 << 20 };
  const captured = plan.ring("ring from capture", shape);
  const relayed = plan.ring("ring to apply", shape);
  const sizes = storeOptions({ dim, capacity });
  const place = (at) => plan.stage(names[at], { contextSize: contexts[at], stagingBytes });
  const captureAt = place(0);
  const captureLayout = {
    ...sizes,
    ...plan.store("primary", sizes),
    states: plan.states("primary", capacity),
    target: captured,
  };
  const processAt = place(1);
  const apply = planApply(plan, {
    sizes,
    contextBytes: contexts[2],
    stagingBytes,
    source: relayed,
  });
  const memory = plan.memory({ shared: false });
  createRing(memory, captured);
  createRing(memory, relayed);
  return {
    plan,
    memory,
    captured,
    relayed,
    modules,
    capture: await CaptureStage.open(modules[0], memory, captureAt, captureLayout),
    process: await ProcessStage.open(modules[1], memory, processAt, {
      source: captured,
      target: relayed,
    }),
    apply: await ApplyStage.open(modules[2], memory, apply.place, apply.layout),
  };
}

/** Frames of a kind in WIRE.md, by name, in their order. */
export async function wireFrames(kind) {
  const text = await readFile(new URL("../../delta-core/WIRE.md", import.meta.url), "utf8");
  const blocks = text.matchAll(/```([a-z-]+) ([a-z0-9-]+)(?: [0-9a-f]+)?\n([0-9a-f\n]*?)\n```/g);
  const ofKind = [...blocks].filter(([, found]) => found === kind);
  const bytes = (hex) => Uint8Array.from(Buffer.from(hex.replaceAll("\n", ""), "hex"));
  return new Map(ofKind.map(([, , name, hex]) => [name, bytes(hex)]));
}

// Bit patterns that a float operation would alter or confuse: NaNs that differ in payload, sign or
// quiet bit, both zeros, subnormals, infinities.
export const AWKWARD = [
  0x7fc00000, 0x7fc00001, 0xffc00001, 0x7f800001, 0xff800001, 0x7fffffff, 0x00000000, 0x80000000,
  0x00000001, 0x807fffff, 0x7f800000, 0xff800000, 0x3f800000, 0xbf800000,
];

/** What is no slot's number, whatever there is: some of it would become one by a conversion. */
export const NO_SLOTS = [-1, 1.5, 2 ** 32, NaN, Infinity, "0", 0n, null, undefined];

/** xorshift32, so that a failure can be repeated. */
export function generator(seed) {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** A row as its bits. */
export const rowOf = (bits) => new Uint8Array(Uint32Array.from(bits).buffer);
export const bitsOf = (row) => Array.from(new Uint32Array(row.slice().buffer));

function mix(x) {
  let z = BigInt.asUintN(64, x + 0x9e3779b97f4a7c15n);
  z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
  z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
  return z ^ (z >> 31n);
}

/** The digest term of a slot's row as WIRE.md, section 5, defines it. */
export function rowTerm(slot, bits) {
  const laneKey = (d) => ((mix(d % 64n) >> 32n) | 1n) * (mix(0x100000000n + d / 64n) | 1n);
  const sum = bits.reduce((sum, word, d) => sum + BigInt(word) * laneKey(BigInt(d)), 0n);
  return BigInt.asUintN(64, (mix(0x200000000n + BigInt(slot)) | 1n) * BigInt.asUintN(64, sum));
}

/** Runs an action that must throw a DeltaError; returns it. */
export function refusal(action) {
  try {
    action();
  } catch (error) {
    if (error.name === "DeltaError") return error;
    throw error;
  }
  throw new Error("it was not refused");
}

/** The code of the error that a promise fails with. */
export const codeOf = (promise) =>
  promise.then(
    () => "resolved",
    (error) => error.code,
  );
