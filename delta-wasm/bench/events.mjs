// A stream file as the events that made it, and how they share records.

import { readFile } from "node:fs/promises";

import { frameHeader, HEADER_SIZE } from "../npm/src/frames.js";
import { createReplica } from "../npm/src/replica.js";

const FLAG_COMPRESSED = 1;

/** The payload of an insert or update: `{ slot, valueBytes, id, section }`. */
export function vectorPayload(payload) {
  let at = 1;
  const varint = () => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = payload[at];
      at += 1;
      value += (byte & 0x7f) * shift;
      if (byte < 0x80) return value;
    }
  };
  const slot = varint();
  varint(); // dim
  const partsFollow = payload[0] >= 0x80;
  const idSize = partsFollow ? payload[at++] : 0;
  const valuesSize = partsFollow ? varint() : payload.length - at;
  const idAt = at + valuesSize;
  return {
    slot,
    // With the tag.
    valueBytes: 1 + valuesSize,
    id: payload.slice(idAt, idAt + idSize),
    section: payload.slice(idAt + idSize),
  };
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

/** Events that share a record: updates without metadata, of one time and distinct slots. */
export function* groups(events, batch) {
  const canJoin = ({ operation, section }) => operation === "update" && section.length === 0;
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
  else if (batch > 1 && section.length === 0) {
    // The rows of a group lie one behind another.
    const all = rows.subarray(row * size, (row + group.length) * size);
    stage.updateMany(
      group.map((event) => event.slot),
      all,
    );
  } else stage.update(slot, rowOf(row), section);
}
