// A pipeline: one or several lanes as one primary and its replica.

import { DeltaError } from "./errors.js";
import { CopyLane, RING_BYTES, RING_SLOTS, SharedLane, STAGING_MIN } from "./lanes.js";
import { bytesOf } from "./memory.js";
import { sectionsOfRows } from "./metadata.js";
import { features } from "./modules.js";
import { checkCounts, checkRing, storeOptions } from "./replica.js";
import { checkSlot } from "./stages.js";
import { yieldToTasks } from "./threads.js";

/** Pieces of bytes, one behind another. */
function joined(pieces) {
  const all = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0));
  pieces.reduce((at, piece) => (all.set(piece, at), at + piece.length), 0);
  return all;
}

/** A primary's write hooks and the replica that follows it. */
export class Pipeline {
  #lanes;
  #isClosed = false;

  constructor(lanes, mode) {
    this.#lanes = lanes;
    this.mode = mode;
    this.inserted = 0;
  }

  /** The lane of a slot, to be written to if `isWrite`. */
  #laneOf(slot, isWrite) {
    checkSlot(slot);
    const lanes = isWrite ? this.#writable() : this.#checked();
    return lanes[slot % lanes.length];
  }

  /** All lanes, if none has failed. */
  #checked() {
    if (this.#isClosed) throw new DeltaError("CLOSED", "the pipeline was closed: create another");
    for (const lane of this.#lanes) {
      const gone = lane.gone();
      if (gone) throw gone;
    }
    return this.#lanes;
  }

  /** All lanes, if they can be written to. */
  #writable() {
    const lanes = this.#checked();
    if (!lanes[0].writer) {
      throw new DeltaError("WRITER_ELSEWHERE", "the write hooks are open elsewhere: write there");
    }
    return lanes;
  }

  #local(slot) {
    return Math.floor(slot / this.#lanes.length);
  }

  /** Inserts an entity; returns its slot: the count of inserts before it. */
  insert(id, row, metadata) {
    const lane = this.#laneOf(this.inserted, true);
    const local = lane.writer.insert(id, row, metadata);
    lane.sent();
    this.inserted += 1;
    return local * this.#lanes.length + ((this.inserted - 1) % this.#lanes.length);
  }

  update(slot, row, metadata) {
    const lane = this.#laneOf(slot, true);
    lane.writer.update(this.#local(slot), row, metadata);
    lane.sent();
  }

  /** Updates many entities, as one record where there is one lane; all or none of a lane's. */
  updateMany(slots, rows, metadata) {
    const lanes = this.#writable();
    const numbers = Array.from(slots, checkSlot);
    const sections = sectionsOfRows(metadata, numbers.length);
    const bytes = bytesOf(rows, "rows");
    const size = bytes.length / Math.max(numbers.length, 1);
    lanes.forEach((lane, number) => {
      const chosen = [...numbers.keys()].filter((at) => numbers[at] % lanes.length === number);
      if (chosen.length === 0) return;
      const local = chosen.map((at) => this.#local(numbers[at]));
      const row = (at) => bytes.subarray(at * size, (at + 1) * size);
      const rowsOf = lanes.length === 1 ? bytes : joined(chosen.map(row));
      const sectionsOf = sections.length === 0 ? sections : chosen.map((at) => sections[at]);
      lane.writer.updateRows(local, rowsOf, sectionsOf);
      lane.sent();
    });
  }

  delete(slot) {
    const lane = this.#laneOf(slot, true);
    lane.writer.delete(this.#local(slot));
    lane.sent();
  }

  setTime(timestampUs) {
    for (const lane of this.#writable()) lane.writer.setTime(timestampUs);
  }

  /** Resolves once the rings are at most half full. */
  async ready({ timeoutMs = 10_000 } = {}) {
    // Also where it is the payload area that is full, the readers get a turn.
    await yieldToTasks();
    await this.#until(() => this.#lanes.every((lane) => lane.occupancy() <= 0.5), timeoutMs);
  }

  /** Resolves once the replica has applied all that was written. */
  async settled({ timeoutMs = 60_000 } = {}) {
    const targets = this.#writable().map((lane) => lane.writer.count);
    const isThere = (lane, index) => ((lane.appliedCount() - targets[index]) | 0) >= 0;
    await this.#until(() => this.#lanes.every(isThere), timeoutMs);
  }

  async #until(isTrue, timeoutMs) {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      this.#checked();
      if (isTrue()) return;
      if (performance.now() > deadline) {
        throw new DeltaError(
          "READER_SLOW",
          `the replica has not caught up in ${timeoutMs} ms: write less, or give it more time`,
        );
      }
      await yieldToTasks();
    }
  }

  /** How far the primary is, one position a lane. */
  positions() {
    return this.#writable().map((lane) => lane.writer.position());
  }

  /** Records that the replica is behind, and how full the fullest ring is, 0 to 1. */
  lag() {
    const lanes = this.#writable();
    const behind = (lane) => (lane.writer.count - lane.appliedCount()) | 0;
    return {
      records: lanes.reduce((sum, lane) => sum + behind(lane), 0),
      occupancy: Math.max(...lanes.map((lane) => lane.occupancy())),
    };
  }

  /** The replica, one answer a lane: positions, counters, digests. */
  replicaPositions() {
    return this.#askAll("position");
  }

  replicaCounters() {
    return this.#askAll("counters");
  }

  replicaDigests() {
    return this.#askAll("digest");
  }

  /** Stacks are whole, in every thread. */
  async checkIntegrity() {
    for (const lane of this.#lanes) lane.writer?.stage.checkCanary();
    await this.#askAll("checkIntegrity");
  }

  async #askAll(method, ...args) {
    return Promise.all(this.#checked().map((lane) => lane.ask(method, ...args)));
  }

  async row(slot) {
    return this.#laneOf(slot).ask("row", this.#local(slot));
  }

  async id(slot) {
    return this.#laneOf(slot).ask("id", this.#local(slot));
  }

  async idBytes(slot) {
    return this.#laneOf(slot).ask("idBytes", this.#local(slot));
  }

  async metadata(slot) {
    return this.#laneOf(slot).ask("metadata", this.#local(slot));
  }

  async metadataBytes(slot) {
    return this.#laneOf(slot).ask("metadataBytes", this.#local(slot));
  }

  async isDeleted(slot) {
    return this.#laneOf(slot).ask("isDeleted", this.#local(slot));
  }

  /** The rows of the replica that are nearest to a query, nearest first. */
  async search(query, options = {}) {
    const lanes = this.#lanes.length;
    const found = await this.#askAll("search", query, options);
    const all = found.flatMap((hits, lane) =>
      hits.map((hit) => ({ ...hit, slot: hit.slot * lanes + lane })),
    );
    const order = ({ distance }) => (Number.isNaN(distance) ? Infinity : distance);
    all.sort(
      (a, b) =>
        Number(Number.isNaN(a.distance)) - Number(Number.isNaN(b.distance)) ||
        order(a) - order(b) ||
        a.slot - b.slot,
    );
    return all.slice(0, options.k ?? 10);
  }

  /** For a writer in another thread: pass it to `openWriter` there. One lane, shared memory. */
  writerHandle() {
    const [lane] = this.#lanes;
    if (this.#lanes.length > 1 || !lane.handle || lane.writer) {
      throw new DeltaError(
        "WRITER_ELSEWHERE",
        'a handle needs shared memory, one worker, and a pipeline with capture: "elsewhere"',
      );
    }
    return lane.handle;
  }

  /** Where everything lies in each lane's memory. */
  layout() {
    return this.#lanes.map(({ plan, memory }) => ({ pieces: plan.pieces, memory }));
  }

  async close() {
    this.#isClosed = true;
    await Promise.all(this.#lanes.map((lane) => lane.close()));
  }
}

/** Opens a pipeline. See `index.d.ts` for its options. */
export async function createPipeline(options) {
  const { mode = "auto", workers = 1, batchRows = 64, spinUs = 50, process = "worker" } = options;
  const { ringSlots = RING_SLOTS, ringBytes = RING_BYTES } = options;
  checkCounts({ workers, batchRows });
  checkRing({ ringSlots, ringBytes });
  if (!["auto", "shared", "copy"].includes(mode)) {
    throw new DeltaError("OPTION", `mode is ${mode}: pass "auto", "shared" or "copy"`);
  }
  if (!["worker", "none"].includes(process)) {
    throw new DeltaError("OPTION", `process is ${process}: pass "worker" or "none"`);
  }
  const sizes = storeOptions({ ...options, capacity: Math.ceil(options.capacity / workers) });
  const stagingBytes = STAGING_MIN + (4 * sizes.dim + 16) * (batchRows + 1) + 65_536;
  const isShared = mode === "shared" || (mode === "auto" && features().sharedMemory);
  const rings = { ringSlots, ringBytes };
  const laneOptions = { ...options, ...rings, sizes, stagingBytes, spinUs, process };
  const Lane = isShared ? SharedLane : CopyLane;
  const lanes = await Lane.openAll(workers, laneOptions);
  return new Pipeline(lanes, isShared ? "shared" : "copy");
}
