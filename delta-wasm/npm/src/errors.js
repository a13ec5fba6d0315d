// What the package throws: a code to act on, a text that names the remedy.

/** An error of this package. `code` is stable, `message` is for people. */
export class DeltaError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {bigint[]} [details] the numbers in the message
   * @param {ErrorOptions} [options]
   */
  constructor(code, message, details = [], options) {
    super(message, options);
    this.name = "DeltaError";
    this.code = code;
    this.details = details;
  }

  /** What a worker sends instead of an error, whose class messages would lose. */
  toMessage() {
    return { code: this.code, message: this.message, details: this.details };
  }

  static fromMessage({ code, message, details }) {
    return new DeltaError(code, message, details);
  }
}

const hex = (digest) => digest.toString(16).padStart(16, "0");

// The codes of the modules (see the documentation of the crate delta-wasm). A text gets the three
// numbers that the module has left beside its code.
const FAULTS = new Map([
  [
    -1,
    [
      "OUT_OF_STAGING",
      (at, size) => `${size} bytes at ${at} lie outside the staging area: place them there`,
    ],
  ],
  [-2, ["MISALIGNED", (at, align) => `address ${at} must be a multiple of ${align}`]],
  [-3, ["BUSY", () => "another thread is inside a call, or one has trapped: open the stage anew"]],
  [
    -4,
    [
      "FRAME_SIZE",
      (needed, found) => `a frame needs ${needed} bytes, ${found} are there: pass whole frames`,
    ],
  ],
  [-5, ["NOT_OPEN", () => "the stage is not open: it was closed, or opening it failed"]],
  [
    -6,
    ["OVERLAP", (at, other) => `the piece at ${at} overlaps that at ${other}: lay them out apart`],
  ],
  [
    -7,
    [
      "MEMORY_TOO_SMALL",
      (at, size, memory) =>
        `${size} bytes at ${at} reach beyond the memory of ${memory} bytes: give a larger memory`,
    ],
  ],
  [
    -8,
    ["LAYOUT", (word) => `word ${word} of the layout is out of range: pass a dim of at least 1`],
  ],
  [
    -9,
    [
      "RING",
      () => "the ring is refused: slots must be a power of two, payload bytes a multiple of 16",
    ],
  ],
  [-10, ["NO_RING", () => "the stage has no such ring: open it with one"]],
  [-11, ["TENSOR", () => "pass f32 rows of the stream's dim"]],
  [
    -12,
    ["TOO_MANY_PAIRS", (max) => `at most ${max} pairs of metadata a change: send several updates`],
  ],
  [
    -13,
    [
      "STAGING_TOO_SMALL",
      (needed, given) =>
        `${needed} bytes do not fit into ${given}: open with a larger stagingBytes`,
    ],
  ],
  [-15, ["NO_GRAPH", () => "the replica has no graph: create it with one, or leave ef out"]],
  [-14, ["METRIC", () => "the metric is none of squaredL2, dot, cosine"]],
  [-16, ["VERSION", () => "the frame has another format version: upgrade this package"]],
  [-17, ["OPERATION", () => "the frame has an unknown operation: upgrade this package"]],
  [-18, ["FLAGS", () => "the frame has unknown flags: upgrade this package"]],
  [
    -19,
    [
      "NUMBERING",
      () => "sequence, previous sequence or epoch of the frame are impossible: check the writer",
    ],
  ],
  [
    -20,
    ["DIGEST_FIELD", () => "the frame has a digest that it does not announce: check the writer"],
  ],
  [-21, ["RING_FIELDS", () => "the frame was copied from a ring with its ring fields: zero them"]],
  [-22, ["PAYLOAD_TOO_LARGE", () => "the frame claims more than 2^30 bytes: check the writer"]],
  [-23, ["CHECKSUM", () => "the frame's checksum is wrong: fetch it again"]],
  [-31, ["HEADER", () => "the frame's header is refused: upgrade this package"]],
  [
    -32,
    ["PAYLOAD", () => "the frame's payload is refused: check the writer, or upgrade this package"],
  ],
  [
    -40,
    [
      "STALE_EPOCH",
      (_, now, found) =>
        `epoch ${found} is over, ${now} goes on: stop the writer that was replaced`,
    ],
  ],
  [
    -41,
    [
      "UNKNOWN_EPOCH",
      (_, now, found) => `epoch ${found} after ${now}: read the stream again from the resync`,
    ],
  ],
  [
    -42,
    ["GAP", (_, expected) => `record ${expected} is missing: read the stream again from there`],
  ],
  [
    -43,
    [
      "BEHIND",
      (_, position, found) =>
        `the writer goes on after record ${found}, this is at ${position}: start from a snapshot`,
    ],
  ],
  [
    -44,
    [
      "DIM",
      (_, expected, found) =>
        `rows of ${found} components where ${expected} are due: pass rows of the stream's dim`,
    ],
  ],
  [
    -45,
    [
      "SLOT_COUNT",
      (_, expected, found) =>
        `the record counts ${found} slots, the replica ${expected}: start from a snapshot`,
    ],
  ],
  [-46, ["UNKNOWN_SLOT", (_, count, slot) => `slot ${slot} does not exist: insert it first`]],
  [
    -47,
    ["DELETED", (_, __, slot) => `slot ${slot} is deleted: an id that comes back is a new insert`],
  ],
  [
    -48,
    [
      "CONFLICT",
      (_, last, previous) =>
        `the slot was last changed by ${last}, not ${previous}: have the writer send it anew`,
    ],
  ],
  [-49, ["REPEATED", () => "a slot stands twice in one batch: send two batches"]],
  [
    -50,
    [
      "METADATA",
      () => "the metadata is refused: keys have 1 to 255 bytes, all of it at most 65,534",
    ],
  ],
  [
    -51,
    [
      "STORE_FULL",
      (_, left, needed) =>
        `no room: ${needed} needed, ${left} left: open with a larger capacity or attributeBytes`,
    ],
  ],
  [
    -52,
    [
      "BASE",
      (_, expected, found) =>
        `the stream starts from ${hex(expected)}, this is ${hex(found)}: apply it to its base`,
    ],
  ],
  [
    -53,
    [
      "DIVERGED",
      (_, expected, found) =>
        `the digest would be ${hex(found)}, not ${hex(expected)}: start from a snapshot`,
    ],
  ],
  [
    -54,
    [
      "GRAPH",
      () => "the stream's graph is not the replica's: pass the graph of its start to createReplica",
    ],
  ],
  [-59, ["REFUSED", () => "the replica refuses the record: upgrade this package"]],
  [
    -60,
    ["RING_FULL", () => "the reader is behind and the ring is full: await ready(), then try again"],
  ],
  [
    -61,
    [
      "RECORD_TOO_LARGE",
      (size, max) =>
        `a record of ${size} bytes never fits, the ring takes ${max}: open with more ringBytes`,
    ],
  ],
  [-62, ["RING_CORRUPT", () => "something else has written to the ring: open the pipeline anew"]],
  [
    -70,
    [
      "CHANGE",
      () => "the change cannot be written: an id has 1 to 255 bytes, a batch at least one slot",
    ],
  ],
]);

/** The error of a module's code; `details` are the three numbers beside it. */
export function faultOf(code, details) {
  const [name, text] = FAULTS.get(code) ?? ["UNKNOWN", () => `code ${code}: upgrade this package`];
  return new DeltaError(name, text(...details), details);
}
