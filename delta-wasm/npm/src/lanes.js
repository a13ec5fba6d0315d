// The lanes of a pipeline: write hooks in this thread, a replica in a worker, records in between.

import { DeltaError } from "./errors.js";
import {
  CONTROL,
  controlWords,
  createControl,
  createRing,
  LINE_ALIGN,
  Plan,
  ringOccupancy,
} from "./memory.js";
import { idBytes, metadataSection, sectionsOfRows } from "./metadata.js";
import { compile, variantOf } from "./modules.js";
import { planApply } from "./replica.js";
import { CaptureStage, contextSize, ProcessStage } from "./stages.js";
import { Peer } from "./threads.js";

/** Least bytes of a staging area. */
export const STAGING_MIN = 65536;
/** Bytes of frames that may be on their way to a worker without shared memory. */
const UNDER_WAY_MAX = 4 << 20;

/** Where a capture stage lies. */
function planCapture(plan, { sizes, contextBytes, stagingBytes, target }) {
  const place = plan.stage("capture", { contextSize: contextBytes, stagingBytes });
  const layout = {
    ...sizes,
    ...plan.store("primary", sizes),
    states: plan.states("primary", sizes.capacity),
    target,
  };
  return { place, layout };
}

/** The usual ring; with its control block, 1 MiB. */
export const RING_SLOTS = 4096;
export const RING_BYTES = 11 * 65536;

function ringOptions({ ringSlots, ringBytes, dim }) {
  const row = 4 * dim + 66_500;
  return { slots: ringSlots, payloadBytes: Math.max(ringBytes, Math.ceil(row / 16) * 32) };
}

/** Opens all lanes or none: where one fails, the workers of all are stopped. */
async function openAllOrNone(lanes, open) {
  const opened = await Promise.allSettled(lanes.map(open));
  const failed = opened.find(({ status }) => status === "rejected");
  if (!failed) return lanes;
  await Promise.allSettled(lanes.map((lane) => lane.close()));
  throw failed.reason;
}

/** What all lanes of a shared memory have in common: the compiled stages and their contexts. */
async function sharedStages(simd) {
  const variant = variantOf({ shared: true, simd });
  const entries = ["capture", "process", "apply"].map(async (name) => {
    const module = await compile(name, variant);
    return [name, { module, contextBytes: await contextSize(module, name, true) }];
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** A lane whose stages share one memory: capture here, process and apply in a worker each. */
export class SharedLane {
  static async openAll(count, options) {
    const stages = await sharedStages(options.simd);
    const plan = new Plan();
    const places = Array.from({ length: count }, () => SharedLane.#plan(plan, stages, options));
    const memory = plan.memory({ shared: true, memory: options.memory });
    const lanes = places.map((place) => new SharedLane({ plan, memory, ...place }));
    return openAllOrNone(lanes, (lane) => lane.#open(stages, options));
  }

  constructor({ plan, memory, rings, capture, workers }) {
    Object.assign(this, { plan, memory, rings, capture, workers, words: {}, peers: {} });
  }

  /** Where a lane's parts lie: its rings, write hooks and workers. */
  static #plan(plan, stages, options) {
    const { sizes, stagingBytes } = options;
    const contextBytes = (name) => stages[name].contextBytes;
    const control = (name) => plan.take(`${name} control`, 4 * CONTROL.WORDS, LINE_ALIGN);
    const captured = plan.ring("ring from capture", ringOptions(options));
    const capture = planCapture(plan, {
      sizes,
      contextBytes: contextBytes("capture"),
      stagingBytes,
      target: captured,
    });
    if (options.process === "none") {
      const apply = planApply(plan, {
        sizes,
        contextBytes: contextBytes("apply"),
        stagingBytes,
        source: captured,
      });
      return {
        rings: [captured],
        capture,
        workers: { apply: { ...apply, control: control("apply") } },
      };
    }
    const relayed = plan.ring("ring to apply", ringOptions(options));
    const process = {
      place: plan.stage("process", {
        contextSize: contextBytes("process"),
        stagingBytes: STAGING_MIN,
      }),
      layout: { source: captured, target: relayed },
      control: control("process"),
    };
    const apply = planApply(plan, {
      sizes,
      contextBytes: contextBytes("apply"),
      stagingBytes,
      source: relayed,
    });
    const workers = { process, apply: { ...apply, control: control("apply") } };
    return { rings: [captured, relayed], capture, workers };
  }

  async #open(stages, options) {
    const { memory, workers } = this;
    for (const ring of this.rings) createRing(memory, ring);
    const control = workers.apply.control;
    this.handle = { module: stages.capture.module, memory, ...this.capture, control };
    for (const [name, where] of Object.entries(workers)) {
      this.words[name] = createControl(memory, where.control);
      this.peers[name] = await Peer.start();
      await this.peers[name].ask("stage", {
        ...where,
        name,
        memory,
        module: stages[name].module,
        spinMs: options.spinUs / 1000,
      });
    }
    if (options.capture !== "elsewhere") this.writer = await openWriter(this.handle);
  }

  /** Nothing to do: the workers see the ring. */
  sent() {}

  appliedCount() {
    return Atomics.load(this.words.apply, CONTROL.DONE);
  }

  occupancy() {
    return Math.max(...this.rings.map((ring) => ringOccupancy(this.memory, ring)));
  }

  ask(method, ...args) {
    Atomics.add(this.words.apply, CONTROL.ASKED, 1);
    // Wakes it if it sleeps: it waits for the ring's count of published records.
    const published = new Int32Array(this.memory.buffer, this.rings.at(-1).control + 128, 1);
    Atomics.notify(published, 0);
    return this.peers.apply.ask(method, ...args);
  }

  gone() {
    return Object.values(this.peers).find(({ gone }) => gone)?.gone;
  }

  async close() {
    for (const words of Object.values(this.words)) Atomics.store(words, CONTROL.STOP, 1);
    await Promise.all(Object.values(this.peers).map((peer) => peer.stop()));
  }
}

/** A lane without shared memory: frames are copied out of the ring and sent to a worker. */
export class CopyLane {
  #bytesUnderWay = 0;
  #applied = 0;
  #isScheduled = false;

  static async openAll(count, options) {
    if (options.memory && count > 1) {
      const message = "without shared memory no two workers use one memory: leave memory out";
      throw new DeltaError("OPTION", message);
    }
    const lanes = Array.from({ length: count }, () => new CopyLane());
    return openAllOrNone(lanes, (lane) => lane.#open(options));
  }

  async #open(options) {
    const variant = variantOf({ shared: false, simd: options.simd });
    const [captureModule, processModule] = await Promise.all([
      compile("capture", variant),
      compile("process", variant),
    ]);
    const { sizes, stagingBytes } = options;
    const plan = new Plan();
    const ring = ringOptions(options);
    const captured = plan.ring("ring from capture", ring);
    const capture = planCapture(plan, {
      sizes,
      contextBytes: await contextSize(captureModule, "capture", false),
      stagingBytes,
      target: captured,
    });
    const frameBytes = ring.payloadBytes / 2 + 64;
    const place = plan.stage("process", {
      contextSize: await contextSize(processModule, "process", false),
      stagingBytes: frameBytes,
    });
    const memory = plan.memory({ shared: false, memory: options.memory });
    createRing(memory, captured);

    Object.assign(this, { memory, plan, captured });
    this.peer = await Peer.start({ onNote: (note) => this.#acknowledge(note) });
    await this.peer.ask("replica", { ...sizes, frameBytes, simd: options.simd });
    this.writer = new Writer(
      await CaptureStage.open(captureModule, memory, capture.place, capture.layout),
    );
    this.egress = await ProcessStage.open(processModule, memory, place, { source: captured });
  }

  #acknowledge({ applied, bytes }) {
    this.#applied = (this.#applied + applied) | 0;
    this.#bytesUnderWay -= bytes;
    this.#send();
  }

  /** Frames leave at the end of the task, together. */
  sent() {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#send();
    });
  }

  #send() {
    while (this.#bytesUnderWay < UNDER_WAY_MAX && !this.peer.gone) {
      const frames = this.#take();
      if (frames.length === 0) return;
      this.#bytesUnderWay += frames.length;
      this.peer.note({ frames }, [frames.buffer]);
    }
  }

  /** Frames that have been captured. Damage ends the lane: whoever writes or asks is told. */
  #take() {
    try {
      return this.egress.take();
    } catch (error) {
      this.peer.fail(error);
      return new Uint8Array(0);
    }
  }

  appliedCount() {
    return this.#applied;
  }

  occupancy() {
    return ringOccupancy(this.memory, this.captured);
  }

  ask(method, ...args) {
    return this.peer.ask(method, ...args);
  }

  gone() {
    return this.peer.gone;
  }

  async close() {
    await this.peer?.stop();
  }
}

/** The write hooks of one lane: every call is captured when it returns. */
class Writer {
  constructor(stage) {
    this.stage = stage;
    /** Records captured, modulo 2^32. */
    this.count = 0;
  }

  insert(id, row, metadata) {
    const slot = this.stage.insert(idBytes(id), row, metadataSection(metadata));
    this.#captured();
    return slot;
  }

  update(slot, row, metadata) {
    this.stage.update(slot, row, metadata === undefined ? undefined : metadataSection(metadata));
    this.#captured();
  }

  updateMany(slots, rows, metadata) {
    const numbers = Array.from(slots);
    this.updateRows(numbers, rows, sectionsOfRows(metadata, numbers.length));
  }

  /** As `updateMany`, of metadata that is checked and encoded. */
  updateRows(slots, rows, sections) {
    if (slots.length === 0) return;
    this.stage.updateMany(slots, rows, sections);
    this.#captured();
  }

  delete(slot) {
    this.stage.delete(slot);
    this.#captured();
  }

  start() {
    this.stage.start();
    this.#captured();
  }

  end(recordCount) {
    this.stage.end(recordCount);
    this.#captured();
  }

  setTime(timestampUs) {
    this.stage.setTime(timestampUs);
  }

  position() {
    return this.stage.position();
  }

  row(slot) {
    return this.stage.row(slot);
  }

  #captured() {
    this.count = (this.count + 1) | 0;
  }
}

/** Opens the write hooks of a pipeline in the thread that has got its handle. */
export async function openWriter({ module, memory, place, layout, control }) {
  const writer = new Writer(await CaptureStage.open(module, memory, place, layout));
  const words = controlWords(memory, control);
  /** Records that the replica has applied, modulo 2^32. */
  writer.appliedCount = () => Atomics.load(words, CONTROL.DONE);
  /** Sleeps until the replica goes on from `seen`, at most `timeoutMs`. */
  writer.waitApplied = (seen, timeoutMs) => Atomics.wait(words, CONTROL.DONE, seen, timeoutMs);
  return writer;
}
