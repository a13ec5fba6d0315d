/** An error of this package: `code` to act on, `message` with the remedy. */
export declare class DeltaError extends Error {
  constructor(code: string, message: string, details?: bigint[], options?: ErrorOptions);
  /** Stable, in capitals, e.g. `GAP`, `RING_FULL`, `SHARED_MEMORY_UNAVAILABLE`. */
  readonly code: string;
  /** The numbers in the message, e.g. the sequence, what was expected, what was found. */
  readonly details: bigint[];
}

/** Bytes of rows, ids and frames: moved as they are, never as numbers. */
export type Bytes = ArrayBufferView | ArrayBuffer;

/** Keys and values, keys ascending by their bytes. */
export type MetadataPairs = [key: Uint8Array, value: Uint8Array][];

/** Epoch, sequence and state digest after the last record. */
export interface Position {
  epoch: number;
  sequence: bigint;
  digest: bigint;
}

export interface Counters {
  applied: bigint;
  /** Records that had been applied before and were skipped. */
  duplicates: bigint;
  /** Slots in use, deleted ones included. */
  slots: bigint;
  /** Bytes of ids and metadata. */
  attributeBytes: bigint;
}

export type Metric = "squaredL2" | "dot" | "cosine";

export interface SearchOptions {
  /** Most neighbours; 10. */
  k?: number;
  /** That of the graph, or `squaredL2`. */
  metric?: Metric;
  /** Nodes that a search by the graph keeps, 1 to 8192: more find better ones and take longer; 100. */
  ef?: number;
  /** Compares all rows, also where there is a graph. */
  exact?: boolean;
}

/** A row found; the distance has the same bits in every implementation. */
export interface Hit {
  slot: number;
  distance: number;
  distanceBits: number;
}

/** A dense tensor in C order where it lies. */
export interface Tensor {
  /** Of the linear memory, in bytes; a multiple of 16. */
  address: number;
  dtype: "f32";
  shape: [number, number];
  /** A view that the next change writes to. */
  bytes: Uint8Array;
}

export type Simd = "auto" | "require" | "never";

export interface StoreOptions {
  /** Components of a row. */
  dim: number;
  /** Slots: inserts over the whole life of the stream. */
  capacity: number;
  /** Bytes for ids and metadata; 256 a slot and 64 KiB. */
  attributeBytes?: number;
  /** `auto` takes the scalar modules where the engine has no simd128. */
  simd?: Simd;
  /**
   * Lay everything out in this memory, which must be large enough, and shared for a shared pipeline
   * alone; a copying one has one worker then. What an earlier pipeline or replica has left there does
   * no harm once that is closed.
   */
  memory?: WebAssembly.Memory;
}

/** The graph of a stream, as its start record declares it. */
export interface GraphOptions {
  /** `squaredL2`. */
  metric?: Metric;
  /** Most neighbours of a node on layer 0, 1 to 255. */
  degree0: number;
  /** Most neighbours of a node on each layer above, 1 to 255. */
  degree: number;
  /** Lists above layer 0, over all nodes; three for each that the average needs. */
  upperLists?: number;
}

export interface ReplicaOptions extends StoreOptions {
  /** Largest frame; 1 MiB. */
  frameBytes?: number;
  /** For a stream that carries a graph: it travels with the rows, and searches go by it. */
  graph?: GraphOptions;
  /** Puts a ring of so many slots, a power of two, in front of the replica: `give` and `poll`. */
  ringSlots?: number;
}

/** A replica in this thread, fed by frames. */
export declare class Replica {
  /**
   * Applies whole frames, one behind another; returns how many. A refused one throws: it has changed
   * nothing, those before it stay applied, `position()` says where to go on.
   */
  apply(frames: Uint8Array): number;
  /**
   * Checks whole frames and puts them into the ring; returns the bytes taken: fewer if it is full,
   * or before a frame that is refused. That one throws when it is the first.
   */
  give(frames: Uint8Array): number;
  /** Applies at most `max` records of the ring; returns how many. A refused one stays in it. */
  poll(max?: number): number;
  /** How full the ring is, 0 to 1. */
  occupancy(): number;
  position(): Position;
  counters(): Counters;
  /** The state digest, computed from the whole replica. */
  digest(): bigint;
  /** A copy of a row's bytes. */
  row(slot: number): Uint8Array;
  tensor(): Tensor;
  /** As text: bytes that are no UTF-8 become U+FFFD. */
  id(slot: number): string;
  idBytes(slot: number): Uint8Array;
  /** As text: bytes that are no UTF-8 become U+FFFD. */
  metadata(slot: number): Record<string, string>;
  metadataBytes(slot: number): MetadataPairs;
  isDeleted(slot: number): boolean;
  /**
   * The nearest live rows, nearest first: by the graph if the replica has one, with the ids and bits
   * that every replica finds; else exactly.
   */
  search(query: Bytes, options?: SearchOptions): Hit[];
  /** Throws if the module's stack has overflowed. */
  checkIntegrity(): void;
  /** Gives the memory up; all else then throws `CLOSED`. */
  close(): void;
}

/** Opens a replica. Works everywhere: no shared memory, no worker. */
export declare function createReplica(options: ReplicaOptions): Promise<Replica>;

/** Values are strings or bytes; `null` deletes the key. */
export type MetadataChanges =
  | Record<string, string | Uint8Array | null>
  | Iterable<[string | Uint8Array, string | Uint8Array | null]>;

export interface PipelineOptions extends StoreOptions {
  /** `auto` shares memory where the engine lets it, and copies frames elsewhere. */
  mode?: "auto" | "shared" | "copy";
  /** Replica workers; each has every n-th entity in a stream of its own. 1. */
  workers?: number;
  /**
   * `worker`: the process stage checks and counts records in a worker between capture and apply;
   * `none`: apply reads capture's ring, one thread and one hop less. With shared memory alone.
   */
  process?: "worker" | "none";
  /** Slots of a ring, a power of two from 2 to 2^24; 4096. */
  ringSlots?: number;
  /** Payload bytes of a ring, a multiple of 16; 704 KiB, or more where rows need it. */
  ringBytes?: number;
  /** Most rows of one `updateMany`; 64. */
  batchRows?: number;
  /** Microseconds that an idle worker looks again and again before it sleeps; 50. */
  spinUs?: number;
  /** `elsewhere`: the write hooks are opened by `openWriter` in another thread. */
  capture?: "here" | "elsewhere";
}

/**
 * A primary and the replica that follows it. Writes are captured when the call returns; `RING_FULL`
 * asks for `await ready()`, any other refusal leaves the stream as it was.
 */
export declare class Pipeline {
  readonly mode: "shared" | "copy";
  /** Entities inserted so far. */
  readonly inserted: number;
  /** Returns the slot: the count of inserts before it. */
  insert(id: string | Uint8Array, row: Bytes, metadata?: MetadataChanges): number;
  update(slot: number, row: Bytes, metadata?: MetadataChanges): void;
  /**
   * New rows, one behind another, of distinct slots, and changes of their metadata in the same
   * order, `null` where there are none: one record a worker.
   */
  updateMany(
    slots: ArrayLike<number> & Iterable<number>,
    rows: ArrayBufferView,
    metadata?: Iterable<MetadataChanges | null>,
  ): void;
  delete(slot: number): void;
  /** The time that the following records carry, microseconds since the Unix epoch. */
  setTime(timestampUs: bigint | number): void;
  /** Resolves once the rings are at most half full. */
  ready(options?: { timeoutMs?: number }): Promise<void>;
  /** Resolves once the replica has applied all that was written. */
  settled(options?: { timeoutMs?: number }): Promise<void>;
  /** Of the primary, one a worker. */
  positions(): Position[];
  /** Records that the replica is behind, and how full the fullest ring is, 0 to 1. */
  lag(): { records: number; occupancy: number };
  replicaPositions(): Promise<Position[]>;
  replicaCounters(): Promise<Counters[]>;
  replicaDigests(): Promise<bigint[]>;
  row(slot: number): Promise<Uint8Array>;
  /** As text: bytes that are no UTF-8 become U+FFFD. */
  id(slot: number): Promise<string>;
  idBytes(slot: number): Promise<Uint8Array>;
  /** As text: bytes that are no UTF-8 become U+FFFD. */
  metadata(slot: number): Promise<Record<string, string>>;
  metadataBytes(slot: number): Promise<MetadataPairs>;
  isDeleted(slot: number): Promise<boolean>;
  search(query: Bytes, options?: SearchOptions): Promise<Hit[]>;
  checkIntegrity(): Promise<void>;
  /** Passed to another thread, opens the write hooks there. */
  writerHandle(): WriterHandle;
  layout(): {
    pieces: { name: string; address: number; size: number }[];
    memory: WebAssembly.Memory;
  }[];
  close(): Promise<void>;
}

export declare function createPipeline(options: PipelineOptions): Promise<Pipeline>;

/** Can be sent by `postMessage`. */
export interface WriterHandle {
  readonly memory: WebAssembly.Memory;
}

/** The write hooks of a pipeline in another thread. */
export declare class Writer {
  /** Records captured, modulo 2^32. */
  readonly count: number;
  /** Records that the replica has applied, modulo 2^32. */
  appliedCount(): number;
  /** Sleeps until the replica goes on from `seen`; never on a page's main thread. */
  waitApplied(seen: number, timeoutMs: number): string;
  insert(id: string | Uint8Array, row: Bytes, metadata?: MetadataChanges): number;
  update(slot: number, row: Bytes, metadata?: MetadataChanges): void;
  /** As {@link Pipeline.updateMany}. */
  updateMany(
    slots: Iterable<number>,
    rows: Bytes,
    metadata?: Iterable<MetadataChanges | null>,
  ): void;
  delete(slot: number): void;
  start(): void;
  end(recordCount: bigint | number): void;
  setTime(timestampUs: bigint | number): void;
  position(): Position;
  row(slot: number): Uint8Array;
}

export declare function openWriter(handle: WriterHandle): Promise<Writer>;

/** Puts frames together from chunks of a stream, as `fetch` and sockets deliver them. */
export declare class FrameReader {
  constructor(options?: { frameBytes?: number });
  /** The frames that are whole by now, one behind another. */
  push(chunk: Uint8Array): Uint8Array;
  readonly pendingBytes: number;
}

export interface FrameHeader {
  sequence: bigint;
  operation:
    "insert" | "update" | "delete" | "batch-update" | "reindex-layers" | "control" | undefined;
  flags: number;
  timestampUs: bigint;
  payloadSize: number;
  previousSequence: bigint;
  epoch: number;
  digest: bigint;
}

/** The fields of the header at `offset`. Nothing is checked. */
export declare function frameHeader(bytes: Uint8Array, offset?: number): FrameHeader;

/** What this engine and page can do. */
export declare function features(): { simd128: boolean; sharedMemory: boolean };
