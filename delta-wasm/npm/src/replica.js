// A replica in this thread, fed by frames.

import { DeltaError } from "./errors.js";
import { wholeFrames } from "./frames.js";
import { createRing, Plan, ringOccupancy } from "./memory.js";
import { idText, metadataObject } from "./metadata.js";
import { compile, variantOf } from "./modules.js";
import { ApplyStage, contextSize, graphSize, graphWord, ProcessStage } from "./stages.js";

/** Room for decompressed metadata and a decoded row of `dim` components. */
const scratchSize = (dim) => 65536 + 4 * dim;
/** Neighbours that a search finds at most. */
const FOUND_MAX = 8192;
const RESULTS_SIZE = 8 * FOUND_MAX;
/** Nodes that a search by the graph keeps at most. */
const KEPT_MAX = 8192;
/** Least payload bytes of half the ring in front of a replica. */
const FEED_BYTES_MIN = 1 << 20;

/** Numbers that must be whole and positive. */
export function checkCounts(counts) {
  for (const [name, value] of Object.entries(counts)) {
    if (!Number.isInteger(value) || value < 1 || value > 2 ** 32 - 1) {
      throw new DeltaError("OPTION", `${name} is ${value}: pass a whole number from 1 on`);
    }
  }
}

/** Slots and payload bytes of a ring, which the modules have bounds for. */
export function checkRing({ ringSlots, ringBytes = 16 }) {
  checkCounts({ ringSlots, ringBytes });
  if (ringSlots < 2 || ringSlots > 2 ** 24 || !Number.isInteger(Math.log2(ringSlots))) {
    const message = `ringSlots is ${ringSlots}: pass a power of two from 2 to 2^24`;
    throw new DeltaError("OPTION", message);
  }
  if (ringBytes % 16 !== 0 || ringBytes > 2 ** 30) {
    const message = `ringBytes is ${ringBytes}: pass a multiple of 16, at most 2^30`;
    throw new DeltaError("OPTION", message);
  }
}

/** Sizes of a row store, with what is usual where none is given. */
export function storeOptions({ dim, capacity, attributeBytes = 256 * capacity + 65536 }) {
  checkCounts({ dim, capacity, attributeBytes });
  return { dim, capacity, attributeBytes };
}

/**
 * A graph that records change: what it is and how large its tables are. `upperLists`: lists above
 * layer 0, of which a node has 1 / (degree - 1) on average; three times as many are safe.
 */
async function graphOptions(module, capacity, graph) {
  if (graph === undefined) return undefined;
  const { metric = "squaredL2", degree0, degree } = graph;
  const { upperLists = 64 + Math.ceil((3 * capacity) / Math.max(degree - 1, 1)) } = graph;
  checkCounts({ degree0, degree, upperLists });
  const word = graphWord({ metric, degree0, degree });
  const bytes = await graphSize(module, capacity, { word, upperLists });
  if (bytes === 0 || degree0 > 255 || degree > 255) {
    const message =
      "no such graph: pass metric, degree0 and degree (at most 255) as the stream's start has them";
    throw new DeltaError("OPTION", message);
  }
  return { metric, word, upperLists, bytes };
}

/** Where an apply stage lies. */
export function planApply(plan, { sizes, contextBytes, stagingBytes, source, graph }) {
  const place = plan.stage("apply", { contextSize: contextBytes, stagingBytes });
  const layout = {
    ...sizes,
    ...plan.store("replica", sizes),
    scratch: plan.take("scratch", scratchSize(sizes.dim)),
    scratchBytes: scratchSize(sizes.dim),
    source,
    found: plan.take("found", 8 * FOUND_MAX),
    foundMax: FOUND_MAX,
    ...(graph && {
      // Twice: tombstones that a search meets wait in places of their own.
      kept: plan.take("kept", 2 * 16 * KEPT_MAX),
      keptMax: 2 * KEPT_MAX,
      met: plan.take("met", 2 * sizes.capacity),
      graph: { ...graph, address: plan.take("graph", graph.bytes) },
    }),
  };
  return { place, layout };
}

/** What a replica answers, whatever feeds it and wherever it runs. */
export class ReplicaView {
  #stage;

  constructor(stage) {
    this.#stage = stage;
  }

  /** The stage that knows all; throws if the replica was closed. */
  get stage() {
    if (!this.#stage) throw new DeltaError("CLOSED", "the replica was closed: create another");
    return this.#stage;
  }

  /** Gives the memory up. */
  close() {
    this.#stage = undefined;
  }

  position() {
    return this.stage.position();
  }

  counters() {
    return this.stage.counters();
  }

  digest() {
    return this.stage.digest();
  }

  row(slot) {
    return this.stage.row(slot);
  }

  id(slot) {
    return idText(this.stage.id(slot));
  }

  idBytes(slot) {
    return this.stage.id(slot);
  }

  metadata(slot) {
    return metadataObject(this.stage.metadata(slot));
  }

  metadataBytes(slot) {
    return this.stage.metadata(slot);
  }

  isDeleted(slot) {
    return this.stage.isDeleted(slot);
  }

  search(query, options) {
    return this.stage.search(query, options);
  }

  checkIntegrity() {
    this.stage.checkCanary();
  }
}

/** What another thread may ask for by name. */
export const QUESTIONS = [
  "position",
  "counters",
  "digest",
  "row",
  "id",
  "idBytes",
  "metadata",
  "metadataBytes",
  "isDeleted",
  "search",
  "checkIntegrity",
];

/** A replica that takes frames. */
export class Replica extends ReplicaView {
  #frameBytes;
  #process;
  #ring;

  /** @param ring where the ring lies and the stage that fills it, if there is one */
  constructor(stage, frameBytes, { process, ring } = {}) {
    super(stage);
    this.#frameBytes = frameBytes;
    this.#process = process;
    this.#ring = ring;
  }

  /**
   * Applies whole frames, one behind another; returns how many. A refused one throws: it has
   * changed nothing, those before it stay applied, and `position()` says where to go on.
   */
  apply(frames) {
    const { stage } = this;
    let [count, offset] = [0, 0];
    while (offset < frames.length) {
      if (this.#ring) {
        offset += this.give(frames.subarray(offset));
        count += this.poll();
        continue;
      }
      const size = wholeFrames(frames, offset, this.#frameBytes);
      count += stage.frames(frames.subarray(offset, offset + size));
      offset += size;
    }
    return count;
  }

  /**
   * Checks whole frames and puts them into the ring; returns the bytes taken: fewer if it is full,
   * or before a frame that is refused. That one throws when it is the first.
   */
  give(frames) {
    this.#withRing();
    let taken = 0;
    while (taken < frames.length) {
      try {
        const size = wholeFrames(frames, taken, this.#frameBytes);
        const given = this.#process.give(frames.subarray(taken, taken + size));
        taken += given;
        if (given < size) break;
      } catch (error) {
        if (taken === 0) throw error;
        break;
      }
    }
    return taken;
  }

  /** Applies at most `max` records of the ring; returns how many. A refused one stays in it. */
  poll(max = 2 ** 31 - 1) {
    return this.#withRing().poll(max);
  }

  /** How full the ring is, 0 to 1. */
  occupancy() {
    return ringOccupancy(this.#withRing().memory, this.#ring);
  }

  /** The rows where they lie: address, dtype, shape, and a view that the next `apply` changes. */
  tensor() {
    return this.stage.tensor();
  }

  checkIntegrity() {
    super.checkIntegrity();
    this.#process?.checkCanary();
  }

  close() {
    super.close();
    this.#process = undefined;
  }

  /** The stage, if the replica is open and has a ring. */
  #withRing() {
    const { stage } = this;
    if (!this.#ring) {
      throw new DeltaError("OPTION", "the replica has no ring: create it with ringSlots");
    }
    return stage;
  }
}

/** Opens a replica in this thread, in a memory of its own (or `memory`). */
export async function createReplica(options) {
  const { frameBytes = 1 << 20, simd, memory: given, ringSlots } = options;
  checkCounts({ frameBytes });
  const sizes = storeOptions(options);
  const variant = variantOf({ shared: false, simd });
  const module = await compile("apply", variant);
  const plan = new Plan();
  const feed = ringSlots === undefined ? undefined : await planFeed(plan, options, variant);
  const { place, layout } = planApply(plan, {
    sizes,
    contextBytes: await contextSize(module, "apply", false),
    stagingBytes: Math.max(frameBytes, 4 * sizes.dim + RESULTS_SIZE),
    source: feed?.ring,
    graph: await graphOptions(module, sizes.capacity, options.graph),
  });
  const memory = plan.memory({ shared: false, memory: given });
  if (feed) {
    createRing(memory, feed.ring);
    feed.process = await ProcessStage.open(feed.module, memory, feed.place, { target: feed.ring });
  }
  return new Replica(await ApplyStage.open(module, memory, place, layout), frameBytes, feed);
}

/** The ring in front of a replica, and the stage that fills it. */
async function planFeed(plan, { ringSlots, frameBytes = 1 << 20 }, variant) {
  checkRing({ ringSlots });
  const module = await compile("process", variant);
  // A record may take half of a ring.
  const payloadBytes = 2 * Math.ceil(Math.max(frameBytes, FEED_BYTES_MIN) / 16) * 16;
  return {
    module,
    ring: plan.ring("ring to apply", { slots: ringSlots, payloadBytes }),
    place: plan.stage("process", {
      contextSize: await contextSize(module, "process", false),
      stagingBytes: frameBytes,
    }),
  };
}
