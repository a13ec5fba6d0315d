// Metadata between JavaScript and the wire: pairs of key and value, keys ascending by their bytes.

import { DeltaError } from "./errors.js";

const encoder = new TextEncoder();
// A byte order mark is a part of the text.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

const asBytes = (value) => (typeof value === "string" ? encoder.encode(value) : value);

/** An id as bytes. */
export function idBytes(id) {
  const bytes = asBytes(id);
  if (!(bytes instanceof Uint8Array) || bytes.length < 1 || bytes.length > 255) {
    throw new DeltaError("ID", "an id has 1 to 255 bytes: pass a string or a Uint8Array");
  }
  return bytes;
}

function compare(a, b) {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    if (a[index] !== b[index]) return a[index] - b[index];
  }
  return a.length - b.length;
}

function varint(value, out) {
  let rest = value;
  while (rest >= 0x80) {
    out.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  out.push(rest);
}

/**
 * A metadata section: changes as an object, a Map or pairs; a value is a string or bytes, null
 * deletes the key.
 */
export function metadataSection(changes) {
  if (changes === undefined || changes === null) return new Uint8Array(0);
  const isIterable = typeof changes[Symbol.iterator] === "function";
  const pairs = Array.from(isIterable ? changes : Object.entries(changes), ([key, value]) => [
    asBytes(key),
    value === null ? null : asBytes(value),
  ]).sort(([a], [b]) => compare(a, b));
  const out = [];
  for (const [key, value] of pairs) {
    const isPair = key instanceof Uint8Array && (value === null || value instanceof Uint8Array);
    if (!isPair || key.length < 1 || key.length > 255) {
      throw new DeltaError(
        "METADATA",
        "a key has 1 to 255 bytes, a value is a string, bytes or null: pass an object of them",
      );
    }
    out.push(key.length, ...key);
    varint(value === null ? 0 : value.length + 1, out);
    if (value !== null) for (const byte of value) out.push(byte);
  }
  return Uint8Array.from(out);
}

/** Sections of `count` rows, empty where there are no changes; none at all for no metadata. */
export function sectionsOfRows(metadata, count) {
  const sections = Array.from(metadata ?? [], (changes) => metadataSection(changes));
  if (sections.length !== 0 && sections.length !== count) {
    const message = `metadata for ${sections.length} of ${count} rows: pass null for a row without`;
    throw new DeltaError("METADATA", message);
  }
  return sections;
}

/** Pairs of bytes as an object of strings; bytes that are no UTF-8 become U+FFFD. */
export function metadataObject(pairs) {
  return Object.fromEntries(
    pairs.map(([key, value]) => [decoder.decode(key), decoder.decode(value)]),
  );
}

/** An id as text; bytes that are no UTF-8 become U+FFFD. */
export const idText = (bytes) => decoder.decode(bytes);
