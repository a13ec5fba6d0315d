// Parts of the page that need no browser: what it keeps, and what it reads of an entry.

import assert from "node:assert/strict";
import { test } from "node:test";

import { entryOf } from "../demo/entry.js";
import { Kept } from "../demo/kept.js";

/** A file in memory, as the page's origin has them, that has room for `room` bytes. */
function fileOf(room) {
  let bytes = new Uint8Array(0);
  return {
    room,
    getSize: () => bytes.length,
    read(into, { at }) {
      const part = bytes.subarray(at, at + into.length);
      into.set(part);
      return part.length;
    },
    write(from, { at }) {
      const written = from.subarray(0, Math.max(0, this.room - at));
      const all = new Uint8Array(Math.max(bytes.length, at + written.length));
      all.set(bytes);
      all.set(written, at);
      bytes = all;
      return written.length;
    },
    truncate(size) {
      bytes = bytes.slice(0, size);
    },
    flush() {},
  };
}

const contents = (kept) => [...kept.chunks()].flatMap((chunk) => [...chunk]);

test("what is kept has no gap: after a batch that did not fit nothing more is kept", () => {
  // Once it is the disk that has no more room, once the bound of what is kept.
  for (const [room, bytesMax] of [[5, 100], [100, 5]]) {
    const file = fileOf(room);
    const kept = new Kept(file, bytesMax);
    kept.add(Uint8Array.of(1, 2, 3));
    kept.add(Uint8Array.of(4, 5, 6));
    kept.add(Uint8Array.of(7));
    assert.deepEqual(contents(kept), [1, 2, 3]);
    assert.equal(kept.bytes, 3);
    assert.equal(file.getSize(), 3);
    kept.cut(2);
    kept.add(Uint8Array.of(8));
    assert.deepEqual(contents(kept), [1, 2]);
    // From the stream's start on there is no gap again.
    kept.cut(0);
    kept.add(Uint8Array.of(9));
    assert.deepEqual(contents(kept), [9]);
  }
});

test("a file that cannot be written to ends the keeping, and so does none", () => {
  const file = fileOf(5);
  const kept = new Kept(file);
  kept.add(Uint8Array.of(1));
  const { write } = file;
  file.write = () => {
    throw new Error("the disk is full");
  };
  kept.add(Uint8Array.of(2));
  file.write = write;
  kept.add(Uint8Array.of(3));
  assert.deepEqual(contents(kept), [1]);
  const none = new Kept();
  none.add(Uint8Array.of(1));
  none.cut(0);
  assert.deepEqual(contents(none), []);
});

test("an entry shows its heading and version; without them its id has to do", () => {
  assert.deepEqual(entryOf(3, "a", { meta: '{"h":"Hash maps","rel":1.5}' }), {
    slot: 3,
    id: "a",
    heading: "Hash maps",
    version: "1.5",
  });
  const strange = '{"h":null,"rel":{"toString":0}}';
  for (const meta of [undefined, "", "{", "null", "7", '"text"', "[]", "{}", strange]) {
    const expected = { slot: 0, id: "a", heading: "", version: "" };
    assert.deepEqual(entryOf(0, "a", { meta }), expected, `${meta}`);
  }
  assert.deepEqual(entryOf(0, "a", {}), { slot: 0, id: "a", heading: "", version: "" });
});
