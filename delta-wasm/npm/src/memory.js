// The memory that stages share: where everything lies, and the memory itself.
//
//   0         unused: address 0, and the stack that the linker assumes
//   64 KiB    constants of the capture, process and apply module, a page each
//   256 KiB   stacks, contexts, staging areas, rings, rows, slots, ids and metadata

import { DeltaError } from "./errors.js";

export const PAGE_SIZE = 65536;
const HOST_START = 4 * PAGE_SIZE;
const PAGES_MAX = 65536;

export const STACK_SIZE = PAGE_SIZE;
/** Bytes at the low end of a stack that nobody may change. */
export const CANARY_SIZE = 64;
const CANARY = 0xc7;
/** Of every piece that names no other. */
const PIECE_ALIGN = 16;
/** Rings, contexts and control words lie on cache lines of their own. */
export const LINE_ALIGN = 128;

const SLOT_SIZE = 16;
const RING_CONTROL_SIZE = 640;
const HEADER_SIZE = 64;

/** Places pieces one behind another; then makes the memory that holds them. */
export class Plan {
  end = HOST_START;
  /** What lies where, for tests: `{ name, address, size }`. */
  pieces = [];

  take(name, size, align = PIECE_ALIGN) {
    const address = Math.ceil(this.end / align) * align;
    this.end = address + size;
    this.pieces.push({ name, address, size });
    return address;
  }

  /** A ring of `slots` and `payloadBytes`; see section 7 of WIRE.md. */
  ring(name, { slots, payloadBytes }) {
    const control = Math.ceil((slots * HEADER_SIZE + payloadBytes) / LINE_ALIGN) * LINE_ALIGN;
    const address = this.take(name, control + RING_CONTROL_SIZE, LINE_ALIGN);
    return { address, slots, payloadBytes, control: address + control };
  }

  /** What every stage has: its stack, context and staging area. */
  stage(name, { contextSize, stagingBytes }) {
    return {
      stack: this.take(`${name} stack`, STACK_SIZE),
      context: this.take(`${name} context`, contextSize, LINE_ALIGN),
      staging: this.take(`${name} staging`, stagingBytes),
      stagingBytes,
    };
  }

  /** The tables of a row store. */
  store(name, { dim, capacity, attributeBytes }) {
    return {
      rows: this.take(`${name} rows`, dim * capacity * 4),
      slots: this.take(`${name} slots`, SLOT_SIZE * capacity),
      attributes: this.take(`${name} attributes`, attributeBytes),
      attributeBytes,
    };
  }

  /** Slots of a sequencer. */
  states(name, capacity) {
    return this.take(`${name} states`, SLOT_SIZE * capacity);
  }

  /** A memory for all that was placed, or the given one if it is large enough. */
  memory({ shared, memory }) {
    const pages = Math.ceil(this.end / PAGE_SIZE);
    if (memory) {
      if (memory.buffer.byteLength < this.end) {
        const given = memory.buffer.byteLength;
        throw new DeltaError(
          "MEMORY_TOO_SMALL",
          `the memory has ${given} bytes, ${this.end} are needed: give at least ${pages} pages`,
        );
      }
      if (memory.buffer instanceof ArrayBuffer === shared) {
        const needed = shared ? "a shared memory" : "a memory that is not shared";
        throw new DeltaError("OPTION", `the memory is of the other kind: pass ${needed}`);
      }
      // It may have been used before: also what says there that a module's constants are in place.
      new Uint8Array(memory.buffer, PAGE_SIZE, HOST_START - PAGE_SIZE).fill(0);
      return memory;
    }
    if (pages > PAGES_MAX) {
      throw new DeltaError(
        "MEMORY_TOO_LARGE",
        `${this.end} bytes exceed a memory's 4 GiB: lower capacity or attributeBytes`,
      );
    }
    try {
      return new WebAssembly.Memory({ initial: pages, maximum: pages, shared });
    } catch (cause) {
      const message = `no memory of ${pages} pages to be had: lower capacity or attributeBytes`;
      throw new DeltaError("OUT_OF_MEMORY", message, [], { cause });
    }
  }
}

/** Makes an empty ring, whatever lies there, in memory that nobody uses yet; `ready` last. */
export function createRing(memory, ring) {
  new Uint8Array(memory.buffer, ring.address, ring.slots * HEADER_SIZE).fill(0);
  new Uint8Array(memory.buffer, ring.control, RING_CONTROL_SIZE).fill(0);
  const words = new Int32Array(memory.buffer, ring.control, RING_CONTROL_SIZE / 4);
  const values = [0x41544c44, 1, ring.slots, ring.payloadBytes, 1];
  values.forEach((value, index) => Atomics.store(words, index, value));
}

/** Words of a ring's control block that statistics read. */
export function ringOccupancy(memory, ring) {
  const words = new Int32Array(memory.buffer, ring.control, RING_CONTROL_SIZE / 4);
  const held = (Atomics.load(words, 128 / 4) - Atomics.load(words, 256 / 4)) >>> 0;
  return Math.min(held, ring.slots) / ring.slots;
}

export function writeCanary(memory, stack) {
  new Uint8Array(memory.buffer, stack, CANARY_SIZE).fill(CANARY);
}

export function checkCanary(memory, stack, name) {
  const canary = new Uint8Array(memory.buffer, stack, CANARY_SIZE);
  if (canary.some((byte) => byte !== CANARY)) {
    throw new DeltaError(
      "STACK_OVERFLOW",
      `the stack of ${name} has overflowed, which may damage more: open everything anew`,
    );
  }
}

/** Words that a worker and the thread that started it share, by index. */
export const CONTROL = {
  /** 1: end. */
  STOP: 0,
  /** Questions sent to the worker: it lets them in when it has not answered as many. */
  ASKED: 1,
  /** Records applied or relayed, modulo 2^32. */
  DONE: 2,
  WORDS: 32,
};

/** Control words of a worker that has not started yet, whatever lies there. */
export function createControl(memory, address) {
  const words = controlWords(memory, address);
  words.fill(0);
  return words;
}

/** Control words of a worker that shares this memory. */
export function controlWords(memory, address) {
  return new Int32Array(memory.buffer, address, CONTROL.WORDS);
}

/** The bytes of a row, an id or frames, as they lie in memory. */
export function bytesOf(value, what) {
  if (value instanceof Uint8Array) return value;
  if (ArrayBuffer.isView(value)) {
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  throw new DeltaError("ARGUMENT", `${what} must be bytes: pass a typed array`);
}
