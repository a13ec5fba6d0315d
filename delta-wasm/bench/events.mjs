// A stream file as the events that made it, and how they share records.

import { readFile } from "node:fs/promises";

import { frameHeader, HEADER_SIZE } from "../npm/src/frames.js";
import { createReplica } from "../npm/src/replica.js";

const FLAG_COMPRESSED = 1;
/** Bytes of a batch's payload before its entries. */
export const BATCH_PREFIX_SIZE = 8;
/** Most bytes of metadata of an update that shares a record, as the native replay has it. */
export const BATCHED_METADATA_MAX = 256;
/** Bytes that a size takes at most. */
export const VARINT_MAX = 5;

/** Reads bytes one behind another. */
class Cursor {
  constructor(bytes, at) {
    Object.assign(this, { bytes, at });
  }

  byte() {
    this.at += 1;
    return this.bytes[this.at - 1];
  }

  varint() {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * shift;
      if (byte < 0x80) return value;
    }
  }

  skip(size) {
    this.at += size;
    return size;
  }
}

/** The payload of an insert or update: `{ slot, valueBytes, id, section }`. */
export function vectorPayload(payload) {
  const cursor = new Cursor(payload, 1);
  const slot = cursor.varint();
  cursor.varint(); // dim
  const partsFollow = payload[0] >= 0x80;
  const idSize = partsFollow ? cursor.byte() : 0;
  const valuesSize = partsFollow ? cursor.varint() : payload.length - cursor.at;
  const idAt = cursor.at + valuesSize;
  return {
    slot,
    // With the tag.
    valueBytes: 1 + valuesSize,
    id: payload.slice(idAt, idAt + idSize),
    section: payload.slice(idAt + idSize),
  };
}

/**
 * The entries of a batch that the modules wrote, metadata not compressed: bytes of their values
 * with the tag, of their metadata, of all.
 */
export function* batchEntries(payload) {
  const cursor = new Cursor(payload, BATCH_PREFIX_SIZE);
  while (cursor.at < payload.length) {
    const start = cursor.at;
    cursor.varint(); // slot
    cursor.varint(); // distance
    const valuesSize = cursor.varint();
    const metadataFollows = cursor.byte() >= 0x80;
    cursor.skip(valuesSize);
    const metadataBytes = metadataFollows ? cursor.skip(cursor.varint()) : 0;
    yield { valueBytes: 1 + valuesSize, metadataBytes, size: cursor.at - start };
  }
}

/** Most bytes that the changes of a section may take in a record. */
function sectionSizeMax(section) {
  const cursor = new Cursor(section, 0);
  let size = 0;
  while (cursor.at < section.length) {
    size += 1 + cursor.skip(cursor.byte());
    size += VARINT_MAX + cursor.skip(Math.max(cursor.varint() - 1, 0));
  }
  return size;
}

/**
 * Reads a stream file that was exported. A replica applies its frames and gives the rows; `rows`
 * holds them one behind another, as they come, in memory that workers can share.
 */
export async function readEvents(path) {
  const bytes = await readFile(path);
  const events = [];
  const dim = new DataView(bytes.buffer, bytes.byteOffset).getUint32(HEADER_SIZE + 4, true);
  const frames = [];
  let slots = 0;
  for (let at = 0; at < bytes.length; at += frames.at(-1).length) {
    const { payloadSize } = frameHeader(bytes, at);
    frames.push(bytes.subarray(at, at + HEADER_SIZE + payloadSize));
    if (frames.at(-1)[8] === 0) slots += 1;
  }
  const sizes = { dim, capacity: Math.max(slots, 1), attributeBytes: 65_536 + 4 * bytes.length };
  const source = await createReplica({ ...sizes, frameBytes: 1 << 24 });
  const changes = frames.filter((frame) => frame[8] < 2).length;
  const rows = new Uint8Array(new SharedArrayBuffer(4 * dim * changes));
  let row = 0;
  for (const frame of frames) {
    source.apply(frame);
    const { operation, flags, timestampUs } = frameHeader(frame);
    if (operation === "control") continue;
    if (flags & FLAG_COMPRESSED) throw new Error("an exported stream is not compressed");
    const payload = frame.subarray(HEADER_SIZE);
    const { slot, id, section } =
      operation === "delete" ? { slot: frame.readUInt32LE(HEADER_SIZE) } : vectorPayload(payload);
    if (operation === "delete") {
      events.push({ operation, slot, timestampUs });
      continue;
    }
    rows.set(source.row(slot), 4 * dim * row);
    events.push({ operation, slot, timestampUs, id, section, row });
    row += 1;
  }
  return { sizes, events, rows, source };
}

/** Whether an event may share a record with others: an update with little metadata. */
const canJoin = ({ operation, section }) =>
  operation === "update" && sectionSizeMax(section) <= BATCHED_METADATA_MAX;

/** Events that share a record: of one time and distinct slots. */
export function* groups(events, batch) {
  for (let at = 0; at < events.length;) {
    const first = events[at];
    const group = [first];
    const slots = new Set([first.slot]);
    while (canJoin(first) && group.length < batch) {
      const next = events[at + group.length];
      const joins = next && canJoin(next) && next.timestampUs === first.timestampUs;
      if (!joins || slots.has(next.slot)) break;
      slots.add(next.slot);
      group.push(next);
    }
    yield group;
    at += group.length;
  }
}

/** Captures a group by a capture stage. */
export function captureGroup(stage, group, rows, batch) {
  const [{ operation, slot, timestampUs, id, section, row }] = group;
  const size = 4 * stage.layout.dim;
  const rowOf = (number) => rows.subarray(number * size, (number + 1) * size);
  if (timestampUs !== captureGroup.time) stage.setTime(timestampUs);
  captureGroup.time = timestampUs;
  if (operation === "insert") stage.insert(id, rowOf(row), section);
  else if (operation === "delete") stage.delete(slot);
  else if (batch > 1 && canJoin(group[0])) {
    // The rows of a group lie one behind another.
    const all = rows.subarray(row * size, (row + group.length) * size);
    const slots = group.map((event) => event.slot);
    const sections = group.map((event) => event.section);
    stage.updateMany(slots, all, sections.some(({ length }) => length > 0) ? sections : []);
  } else stage.update(slot, rowOf(row), section);
}
