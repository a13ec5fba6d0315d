// A replica in this thread, fed by frames.

import { DeltaError } from "./errors.js";
import { wholeFrames } from "./frames.js";
import { Plan } from "./memory.js";
import { idText, metadataObject } from "./metadata.js";
import { compile, variantOf } from "./modules.js";
import { ApplyStage, contextSize } from "./stages.js";

/** Room for decompressed metadata and a decoded row of `dim` components. */
const scratchSize = (dim) => 65536 + 4 * dim;
const RESULTS_SIZE = 65536;

/** Numbers that must be whole and positive. */
export function checkCounts(counts) {
  for (const [name, value] of Object.entries(counts)) {
    if (!Number.isInteger(value) || value < 1 || value > 2 ** 32 - 1) {
      throw new DeltaError("OPTION", `${name} is ${value}: pass a whole number from 1 on`);
    }
  }
}

/** Sizes of a row store, with what is usual where none is given. */
export function storeOptions({ dim, capacity, attributeBytes = 256 * capacity + 65536 }) {
  checkCounts({ dim, capacity, attributeBytes });
  return { dim, capacity, attributeBytes };
}

/** Where an apply stage lies. */
export function planApply(plan, { sizes, contextBytes, stagingBytes, source }) {
  const place = plan.stage("apply", { contextSize: contextBytes, stagingBytes });
  const layout = {
    ...sizes,
    ...plan.store("replica", sizes),
    scratch: plan.take("scratch", scratchSize(sizes.dim)),
    scratchBytes: scratchSize(sizes.dim),
    source,
  };
  return { place, layout };
}

/** What a replica answers, whatever feeds it and wherever it runs. */
export class ReplicaView {
  constructor(stage) {
    this.stage = stage;
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

  metadata(slot) {
    return metadataObject(this.stage.metadata(slot));
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
  "metadata",
  "isDeleted",
  "search",
  "checkIntegrity",
];

/** A replica that takes frames. */
export class Replica extends ReplicaView {
  #frameBytes;

  constructor(stage, frameBytes) {
    super(stage);
    this.#frameBytes = frameBytes;
  }

  /**
   * Applies whole frames, one behind another; returns how many. A refused one throws: it has
   * changed nothing, those before it stay applied, and `position()` says where to go on.
   */
  apply(frames) {
    this.#checkOpen();
    let [count, offset] = [0, 0];
    while (offset < frames.length) {
      const size = wholeFrames(frames, offset, this.#frameBytes);
      count += this.stage.frames(frames.subarray(offset, offset + size));
      offset += size;
    }
    return count;
  }

  /** The rows where they lie: address, dtype, shape, and a view that the next `apply` changes. */
  tensor() {
    this.#checkOpen();
    return this.stage.tensor();
  }

  /** Gives the memory up. */
  close() {
    this.stage = undefined;
  }

  #checkOpen() {
    if (!this.stage) throw new DeltaError("CLOSED", "the replica was closed: create another");
  }
}

/** Opens a replica in this thread, in a memory of its own (or `memory`). */
export async function createReplica(options) {
  const { frameBytes = 1 << 20, simd, memory: given } = options;
  checkCounts({ frameBytes });
  const sizes = storeOptions(options);
  const variant = variantOf({ shared: false, simd });
  const module = await compile("apply", variant);
  const plan = new Plan();
  const stagingBytes = Math.max(frameBytes, 4 * sizes.dim + RESULTS_SIZE);
  const { place, layout } = planApply(plan, {
    sizes,
    contextBytes: await contextSize(module, "apply", false),
    stagingBytes,
  });
  const memory = plan.memory({ shared: false, memory: given });
  return new Replica(await ApplyStage.open(module, memory, place, layout), frameBytes);
}
