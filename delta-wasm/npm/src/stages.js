// The three stages: a module's instance, its context and staging area, and its calls.

import { DeltaError, faultOf } from "./errors.js";
import { bytesOf, checkCanary, STACK_SIZE, writeCanary } from "./memory.js";

const LAYOUT_WORDS = 27;
const LAYOUT_VERSION = 2n;
const METRICS = { squaredL2: 0, dot: 1, cosine: 2 };
/** Nodes that a search by a graph keeps where nobody says how many. */
const EF = 100;
const EMPTY = new Uint8Array(0);

/** How long a stage sleeps at most before its host looks at other things. */
const WAIT_MS = 10;

/** What the modules import beside the memory. Only a shared memory has threads to wait for. */
function imports(memory) {
  const isShared = !(memory.buffer instanceof ArrayBuffer);
  const words = new Int32Array(memory.buffer);
  const wait = (address, expected) => Atomics.wait(words, address >>> 2, expected, WAIT_MS);
  const wake = (address) => Atomics.notify(words, address >>> 2);
  const nothing = () => {};
  return { env: { memory }, delta: isShared ? { wait, wake } : { wait: nothing, wake: nothing } };
}

/** What a module says of itself: a throw-away instance is asked. */
async function askModule(module, shared, question) {
  const memory = new WebAssembly.Memory({ initial: 4, maximum: 4, shared });
  const { exports } = await WebAssembly.instantiate(module, imports(memory));
  return question(exports);
}

/** Bytes of a context of `stage`. */
export function contextSize(module, stage, shared) {
  return askModule(module, shared, (exports) => exports[`delta_${stage}_context_size`]());
}

/** The word of the layout that says what a graph is. */
export function graphWord({ metric, degree0, degree }) {
  return degree0 | (degree << 8) | ((METRICS[metric] + 1) << 16);
}

/** Bytes of a graph's tables; 0: there is no such graph. */
export function graphSize(module, capacity, { word, upperLists }) {
  return askModule(
    module,
    false,
    (exports) => exports.delta_apply_graph_size(capacity, word, upperLists) >>> 0,
  );
}

/** A slot as it is; the modules would take another number for one by its low bits. */
export function checkSlot(slot) {
  if (Number.isInteger(slot) && slot >= 0 && slot < 2 ** 32) return slot;
  const message = `slot ${slot} does not exist: pass one that insert gave`;
  throw new DeltaError("UNKNOWN_SLOT", message);
}

const aligned = (size) => Math.ceil(size / 16) * 16;

class Stage {
  /**
   * @param place where stack, context and staging area lie
   * @param layout the other pieces, by name
   */
  static async open(name, module, memory, place, layout) {
    let instance;
    try {
      instance = await WebAssembly.instantiate(module, imports(memory));
    } catch (cause) {
      const message = `the ${name} module does not fit this engine or memory: check mode and simd`;
      throw new DeltaError("INSTANTIATION", message, [], { cause });
    }
    return new this(name, instance.exports, memory, place, layout);
  }

  constructor(name, exports, memory, place, layout) {
    Object.assign(this, { name, exports, memory, place, layout });
    this.bytes = new Uint8Array(memory.buffer);
    this.view = new DataView(memory.buffer);
    writeCanary(memory, place.stack);
    exports.__stack_pointer.value = place.stack + STACK_SIZE;
    const { source, target } = layout;
    const words = [
      LAYOUT_VERSION,
      layout.dim,
      layout.capacity,
      place.staging,
      place.stagingBytes,
      source?.address,
      source?.slots,
      source?.payloadBytes,
      target?.address,
      target?.slots,
      target?.payloadBytes,
      layout.rows,
      layout.slots,
      layout.states,
      layout.attributes,
      layout.attributeBytes,
      layout.scratch,
      layout.scratchBytes,
      layout.epoch,
      layout.found,
      layout.foundMax,
      layout.kept,
      layout.keptMax,
      layout.met,
      layout.graph?.word,
      layout.graph?.upperLists,
      layout.graph?.address,
    ];
    for (let index = 0; index < LAYOUT_WORDS; index += 1) {
      this.view.setBigUint64(place.context + 8 * index, BigInt(words[index] ?? 0), true);
    }
    this.call("open");
  }

  /** Calls an export with the context; throws for a negative code. */
  call(method, ...args) {
    const result = this.attempt(method, ...args);
    if (result < 0) throw this.fault(result);
    return result;
  }

  attempt(method, ...args) {
    try {
      return this.exports[`delta_${this.name}_${method}`](this.place.context, ...args);
    } catch (cause) {
      const message = `the ${this.name} module trapped, its own fault: open it anew and report it`;
      throw new DeltaError("TRAPPED", message, [], { cause });
    }
  }

  fault(code) {
    const { context } = this.place;
    const isNoted = this.view.getInt32(context + 8, true) === code;
    const detail = (index) =>
      isNoted ? this.view.getBigUint64(context + 16 + 8 * index, true) : 0n;
    return faultOf(code, [detail(0), detail(1), detail(2)]);
  }

  /** Copies bytes to an offset of the staging area; returns their address. */
  put(bytes, offset) {
    if (offset + bytes.length > this.place.stagingBytes) {
      throw faultOf(-13, [BigInt(offset + bytes.length), BigInt(this.place.stagingBytes), 0n]);
    }
    const address = this.place.staging + offset;
    this.bytes.set(bytes, address);
    return address;
  }

  /** A copy of the bytes at the start of the staging area. */
  get(size, offset = 0) {
    const address = this.place.staging + offset;
    return this.bytes.slice(address, address + size);
  }

  word64(index) {
    return this.view.getBigUint64(this.place.staging + 8 * index, true);
  }

  position() {
    this.call("position", this.place.staging);
    return { epoch: Number(this.word64(0)), sequence: this.word64(1), digest: this.word64(2) };
  }

  /** Where the rows lie: a view of them, and what they are. */
  tensor() {
    const at = this.place.staging;
    this.call("rows", at);
    const address = Number(this.view.getBigUint64(at, true));
    const shape = [this.view.getUint32(at + 16, true), this.view.getUint32(at + 20, true)];
    const bytes = new Uint8Array(this.memory.buffer, address, 4 * shape[0] * shape[1]);
    return { address, dtype: "f32", shape, bytes };
  }

  row(slot) {
    checkSlot(slot);
    const { shape, bytes } = this.tensor();
    if (!(slot < shape[0])) throw faultOf(-46, [0n, BigInt(shape[0]), BigInt(slot)]);
    return bytes.slice(4 * slot * shape[1], 4 * (slot + 1) * shape[1]);
  }

  checkRow(row) {
    const bytes = bytesOf(row, "a row");
    const { dim } = this.layout;
    if (bytes.length !== 4 * dim) {
      throw faultOf(-44, [0n, BigInt(dim), BigInt(Math.floor(bytes.length / 4))]);
    }
    return bytes;
  }

  checkCanary() {
    checkCanary(this.memory, this.place.stack, this.name);
  }
}

/** The primary's rows and the write hooks. */
export class CaptureStage extends Stage {
  static open(...args) {
    return super.open("capture", ...args);
  }

  insert(id, row, pairs = EMPTY) {
    const bytes = this.checkRow(row);
    const rowAt = this.put(bytes, 0);
    const idAt = this.put(id, aligned(bytes.length));
    const pairsAt = this.put(pairs, aligned(bytes.length) + id.length);
    return this.call("insert", rowAt, idAt, id.length, pairsAt, pairs.length);
  }

  update(slot, row, pairs = EMPTY) {
    checkSlot(slot);
    const bytes = this.checkRow(row);
    const rowAt = this.put(bytes, 0);
    const pairsAt = pairs.length > 0 ? this.put(pairs, aligned(bytes.length)) : 0;
    this.call("update", slot, rowAt, pairsAt, pairs.length);
  }

  /** `sections`: each row's changes of metadata, perhaps empty; without any no metadata changes. */
  updateMany(slots, rows, sections = []) {
    const bytes = bytesOf(rows, "rows");
    const numbers = Uint32Array.from(slots, checkSlot);
    const { dim } = this.layout;
    if (bytes.length !== 4 * dim * numbers.length) {
      const found = Math.floor(bytes.length / 4 / Math.max(numbers.length, 1));
      throw faultOf(-44, [0n, BigInt(dim), BigInt(found)]);
    }
    const slotsAt = this.put(new Uint8Array(numbers.buffer), 0);
    const tensorAt = slotsAt + aligned(4 * numbers.length);
    const offset = tensorAt + 32 - this.place.staging;
    const rowsAt = this.put(bytes, offset);
    const sectionsAt = rowsAt + aligned(bytes.length);
    let end = sectionsAt;
    for (const section of sections) {
      const size = Uint32Array.of(section.length);
      end = this.put(new Uint8Array(size.buffer), end - this.place.staging) + 4;
      end = this.put(section, end - this.place.staging) + section.length;
    }
    this.view.setBigUint64(tensorAt, BigInt(rowsAt), true);
    const fields = [1, 2, numbers.length, dim, 0, 0];
    fields.forEach((field, index) => this.view.setUint32(tensorAt + 8 + 4 * index, field, true));
    const many = [slotsAt, numbers.length, tensorAt];
    this.call("update_many", ...many, sectionsAt, end - sectionsAt);
  }

  delete(slot) {
    this.call("delete", checkSlot(slot));
  }

  start() {
    this.call("start");
  }

  end(recordCount) {
    this.call("end", BigInt(recordCount));
  }

  setTime(timestampUs) {
    this.call("set_time", BigInt(timestampUs));
  }

  /** Sleeps until there may be room. Not on a page's main thread. */
  wait(payloadBytes) {
    return this.call("wait", payloadBytes) === 1;
  }
}

/** Moves records: ring to ring, ring to bytes, bytes to ring. */
export class ProcessStage extends Stage {
  static open(...args) {
    return super.open("process", ...args);
  }

  relay(max) {
    return this.call("relay", max);
  }

  wait() {
    return this.call("wait") === 1;
  }

  /** Frames that have arrived, in bytes of their own; empty if none have. */
  take(max = this.place.stagingBytes) {
    return this.get(this.call("take", this.place.staging, Math.min(max, this.place.stagingBytes)));
  }

  /** Passes frames on; returns how many bytes of them there was room for. */
  give(frames) {
    return this.call("give", this.put(frames, 0), frames.length);
  }

  check(frame) {
    this.call("check", this.put(frame, 0), frame.length);
  }

  counters() {
    this.call("counters", this.place.staging);
    const names = ["inserts", "updates", "deletes", "batches", "reindexes", "controls", "bytes"];
    return Object.fromEntries(names.map((name, index) => [name, this.word64(index)]));
  }
}

/** A replica, and what can be asked of it. */
export class ApplyStage extends Stage {
  static open(...args) {
    return super.open("apply", ...args);
  }

  poll(max) {
    return this.call("poll", max);
  }

  wait() {
    return this.call("wait") === 1;
  }

  frames(frames) {
    return this.call("frames", this.put(frames, 0), frames.length);
  }

  counters() {
    this.call("counters", this.place.staging);
    const names = ["applied", "duplicates", "slots", "attributeBytes"];
    return Object.fromEntries(names.map((name, index) => [name, this.word64(index)]));
  }

  digest() {
    this.call("digest", this.place.staging);
    return this.word64(0);
  }

  isDeleted(slot) {
    return this.call("is_deleted", checkSlot(slot)) === 1;
  }

  id(slot) {
    return this.get(this.call("id", checkSlot(slot), this.place.staging));
  }

  metadata(slot) {
    const { staging, stagingBytes } = this.place;
    const size = this.call("metadata", checkSlot(slot), staging, stagingBytes);
    const pairs = [];
    let at = staging;
    const end = at + size;
    const part = () => {
      const start = at + 4;
      at = start + this.view.getUint32(at, true);
      return this.bytes.slice(start, at);
    };
    while (at < end) pairs.push([part(), part()]);
    return pairs;
  }

  search(query, { k = 10, metric, ef, exact = false } = {}) {
    const { graph, foundMax } = this.layout;
    const bytes = this.checkRow(query);
    const name = metric ?? graph?.metric ?? "squaredL2";
    if (!(name in METRICS)) throw faultOf(-14, [0n, 0n, 0n]);
    for (const [option, value] of Object.entries({ k, ef: ef ?? EF })) {
      if (!Number.isInteger(value) || value < 1) {
        const message = `${option} is ${value}: pass a whole number from 1 on`;
        throw new DeltaError("ARGUMENT", message);
      }
    }
    // Without a graph an `ef` of the caller's is refused by the module, which knows why.
    const kept = exact ? 0 : graph ? Math.max(ef ?? EF, k) : (ef ?? 0);
    const keptMax = this.layout.keptMax / 2;
    if (graph && kept > keptMax) {
      const message = `ef or k is ${kept}: a search keeps at most ${keptMax} nodes`;
      throw new DeltaError("ARGUMENT", message);
    }
    const queryAt = this.put(bytes, 0);
    const out = queryAt + aligned(bytes.length);
    const room = this.place.staging + this.place.stagingBytes - out;
    const count = this.call(
      "search",
      queryAt,
      Math.min(k, Math.floor(room / 8), foundMax),
      METRICS[name],
      kept,
      out,
    );
    return Array.from({ length: count }, (_, index) => ({
      slot: this.view.getUint32(out + 8 * index, true),
      distance: this.view.getFloat32(out + 8 * index + 4, true),
      distanceBits: this.view.getUint32(out + 8 * index + 4, true),
    }));
  }
}
