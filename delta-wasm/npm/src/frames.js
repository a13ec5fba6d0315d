// Frames: a 64-byte header and a payload; where one ends, and what its header says.

import { DeltaError } from "./errors.js";

export const HEADER_SIZE = 64;
const OPERATIONS = ["insert", "update", "delete", "batch-update", "reindex-layers", "control"];

/** Bytes of the frame at `offset`, by its header; undefined if the header is not all there. */
export function frameSize(bytes, offset = 0) {
  if (bytes.length < offset + HEADER_SIZE) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, HEADER_SIZE);
  return HEADER_SIZE + view.getUint32(28, true);
}

/** The fields of a frame's header. Nothing is checked. */
export function frameHeader(bytes, offset = 0) {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, HEADER_SIZE);
  return {
    sequence: view.getBigUint64(0, true),
    operation: OPERATIONS[view.getUint8(8)],
    flags: view.getUint8(9),
    timestampUs: view.getBigUint64(16, true),
    payloadSize: view.getUint32(28, true),
    previousSequence: view.getBigUint64(40, true),
    epoch: view.getUint32(52, true),
    digest: view.getBigUint64(56, true),
  };
}

/** Bytes of whole frames from `offset` on, at most `max` of them and at least one frame. */
export function wholeFrames(bytes, offset, max) {
  let end = offset;
  while (end < bytes.length) {
    const size = frameSize(bytes, end);
    // What is cut off, or claims to be longer than it is, goes to the module, which refuses it.
    const next = size === undefined ? bytes.length : Math.min(end + size, bytes.length);
    if (next - offset > max) {
      if (end > offset) break;
      throw new DeltaError(
        "FRAME_TOO_LARGE",
        `a frame of ${next - end} bytes, the replica takes ${max}: open with a larger frameBytes`,
        [BigInt(next - end), BigInt(max)],
      );
    }
    end = next;
  }
  return end - offset;
}

/** Puts frames together from chunks of a stream, as `fetch` and sockets deliver them. */
export class FrameReader {
  #rest = new Uint8Array(0);
  #max;

  /** @param {{ frameBytes?: number }} [options] the largest frame that is waited for */
  constructor({ frameBytes = 1 << 20 } = {}) {
    this.#max = frameBytes;
  }

  /** Takes a chunk; returns the frames that are whole by now, one behind another. */
  push(chunk) {
    let bytes = chunk;
    if (this.#rest.length > 0) {
      bytes = new Uint8Array(this.#rest.length + chunk.length);
      bytes.set(this.#rest);
      bytes.set(chunk, this.#rest.length);
    }
    let end = 0;
    for (;;) {
      const size = frameSize(bytes, end);
      if (size > this.#max) {
        throw new DeltaError(
          "FRAME_TOO_LARGE",
          `a frame of ${size} bytes, at most ${this.#max} are taken: raise frameBytes`,
          [BigInt(size), BigInt(this.#max)],
        );
      }
      if (size === undefined || end + size > bytes.length) break;
      end += size;
    }
    this.#rest = bytes.slice(end);
    return bytes.subarray(0, end);
  }

  /** Bytes of a frame that is not whole yet. */
  get pendingBytes() {
    return this.#rest.length;
  }
}
