// Runs both builds of delta-wasm in Node and holds them against each other and against JavaScript.
// Usage: node --test-reporter=tap delta-wasm/tests/node.mjs SCALAR.wasm SIMD128.wasm
// No packages are needed. Rows are moved as bits: a JavaScript number may lose a NaN's payload.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

const [scalarPath, simd128Path] = process.argv.slice(2);
assert.ok(simd128Path, "usage: node node.mjs SCALAR.wasm SIMD128.wasm");

/** A module's exports, with its arena as a byte view. */
async function load(path) {
  const { instance } = await WebAssembly.instantiate(await readFile(path), {});
  const { memory, ...calls } = instance.exports;
  const arena = calls.delta_arena();
  const size = calls.delta_arena_size();
  return { ...calls, arena, size, bytes: new Uint8Array(memory.buffer, arena, size) };
}

const scalar = await load(scalarPath);
const simd128 = await load(simd128Path);
const both = [scalar, simd128];

test("each build says what it is", () => {
  assert.equal(scalar.delta_simd(), 0);
  assert.equal(simd128.delta_simd(), 1);
});

test("the modules import nothing", async () => {
  for (const path of [scalarPath, simd128Path]) {
    assert.deepEqual(WebAssembly.Module.imports(new WebAssembly.Module(await readFile(path))), []);
  }
});

test("the arena is 16-aligned and lies in the memory", () => {
  for (const module of both) {
    assert.equal(module.arena % 16, 0);
    assert.equal(module.size, 256 * 1024);
  }
});

test("both speak the same version", () => {
  for (const module of both) assert.equal(module.delta_version(), 1);
});

const OUT_OF_ARENA = -1;
const MISALIGNED = -2;
const FRAME_SIZE = -4;

// Bit patterns that a float operation would alter or confuse: NaNs that differ in payload, sign or
// quiet bit, both zeros, subnormals, infinities.
const AWKWARD = [
  0x7fc00000, 0x7fc00001, 0xffc00001, 0x7f800001, 0xff800001, 0x7fffffff, 0x00000000, 0x80000000,
  0x00000001, 0x807fffff, 0x7f800000, 0xff800000, 0x3f800000, 0xbf800000,
];
// Tails of every length after whole vectors and after whole words of 64 lanes.
const DIMS = [
  1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 100, 127, 384, 511, 513, 1536, 1539,
];

/** xorshift32, so that a failure can be repeated. */
function generator(seed) {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

function randomBits(random) {
  return random() % 3 === 0 ? AWKWARD[random() % AWKWARD.length] : random();
}

/** Writes 32-bit words at an offset into the arena, little-endian; returns their address. */
function putBits(module, offset, bits) {
  const view = new DataView(module.bytes.buffer, module.arena + offset, bits.length * 4);
  bits.forEach((word, index) => view.setUint32(index * 4, word, true));
  return module.arena + offset;
}

function getU64(module, offset) {
  return new DataView(module.bytes.buffer, module.arena, module.size).getBigUint64(offset, true);
}

function mix(x) {
  let z = BigInt.asUintN(64, x + 0x9e3779b97f4a7c15n);
  z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
  z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
  return z ^ (z >> 31n);
}

/** The row's sum as WIRE.md, section 5, defines it. */
function rowSum(bits) {
  const laneKey = (d) => ((mix(d % 64n) >> 32n) | 1n) * (mix(0x100000000n + d / 64n) | 1n);
  return bits.reduce(
    (sum, word, d) => BigInt.asUintN(64, sum + BigInt(word) * laneKey(BigInt(d))),
    0n,
  );
}

test("count_changed: both builds equal JavaScript's, at every alignment and tail", () => {
  const random = generator(1);
  for (const dim of DIMS) {
    for (const misalignment of [0, 4, 8, 12]) {
      const old = Array.from({ length: dim }, () => randomBits(random));
      const next = old.map((word) => (random() % 4 === 0 ? randomBits(random) : word));
      const expected = old.filter((word, index) => word !== next[index]).length;
      for (const module of both) {
        const oldAt = putBits(module, misalignment, old);
        const newAt = putBits(module, 65536, next);
        assert.equal(module.delta_count_changed(oldAt, newAt, dim), expected, `dim ${dim}`);
        assert.equal(module.delta_count_changed(newAt, newAt, dim), 0);
      }
    }
  }
});

test("count_changed: each pair of awkward bit patterns, in each lane", () => {
  for (let lane = 0; lane < 9; lane += 1) {
    for (const before of AWKWARD) {
      for (const after of AWKWARD) {
        const old = Array(9).fill(0x7fc00001);
        const next = [...old];
        old[lane] = before;
        next[lane] = after;
        for (const module of both) {
          const oldAt = putBits(module, 0, old);
          const newAt = putBits(module, 64, next);
          const expected = before === after ? 0 : 1;
          assert.equal(module.delta_count_changed(oldAt, newAt, 9), expected);
        }
      }
    }
  }
});

test("row_digest: both builds equal the definition", () => {
  const random = generator(2);
  for (const dim of DIMS) {
    const bits = Array.from({ length: dim }, () => randomBits(random));
    const expected = rowSum(bits);
    for (const module of both) {
      const at = putBits(module, 4, bits);
      assert.equal(module.delta_row_digest(at, dim, module.arena + 100001), 0);
      assert.equal(getU64(module, 100001), expected, `dim ${dim}`);
    }
  }
});

test("a pointer outside the arena or misaligned is refused", () => {
  for (const { arena, size, ...module } of both) {
    const end = arena + size;
    assert.equal(module.delta_count_changed(0, arena, 1), OUT_OF_ARENA);
    assert.equal(module.delta_count_changed(arena, end - 4, 2), OUT_OF_ARENA);
    assert.equal(module.delta_count_changed(arena, -4, 2), OUT_OF_ARENA);
    assert.equal(module.delta_count_changed(arena, arena, 0x40000000), OUT_OF_ARENA);
    assert.equal(module.delta_count_changed(arena, arena, -1), OUT_OF_ARENA);
    assert.equal(module.delta_count_changed(arena, arena + 1, 1), MISALIGNED);
    assert.equal(module.delta_row_digest(arena, 1, end - 7), OUT_OF_ARENA);
    assert.equal(module.delta_header_check(end - 63, 64), OUT_OF_ARENA);
  }
});

test("a refused call writes nothing", () => {
  for (const module of both) {
    module.bytes.fill(0xa5);
    const { arena, size } = module;
    assert.equal(module.delta_row_digest(arena + 1, 4, arena + 64), MISALIGNED);
    assert.equal(module.delta_row_digest(arena, 4, arena + size - 1), OUT_OF_ARENA);
    assert.ok(module.bytes.every((byte) => byte === 0xa5));
  }
});

/** The frames of WIRE.md's golden vectors, by kind (`golden` or `refused`) and name. */
async function wireFrames(kind) {
  const text = await readFile(new URL("../../delta-core/WIRE.md", import.meta.url), "utf8");
  const blocks = text.matchAll(/^```(golden|refused) (\S+)\n([0-9a-f\s]+)^```/gm);
  const frames = [...blocks].filter((block) => block[1] === kind);
  const bytes = (hex) => Buffer.from(hex.replace(/\s/g, ""), "hex");
  return new Map(frames.map(([, , name, hex]) => [name, bytes(hex)]));
}

test("header_check takes every golden frame, at odd addresses too", async () => {
  const frames = await wireFrames("golden");
  assert.ok(frames.size > 0, "WIRE.md holds no golden frames");
  for (const [name, frame] of frames) {
    for (const module of both) {
      module.bytes.set(frame, 1);
      assert.equal(module.delta_header_check(module.arena + 1, frame.length), 0, name);
      assert.equal(module.delta_header_check(module.arena + 1, frame.length - 1), FRAME_SIZE, name);
      assert.equal(module.delta_header_check(module.arena + 1, 63), FRAME_SIZE, name);
    }
  }
});

test("header_check refuses every golden frame with any one byte changed", async () => {
  for (const [name, frame] of await wireFrames("golden")) {
    for (const module of both) {
      module.bytes.set(frame, 0);
      for (let offset = 0; offset < frame.length; offset += 1) {
        module.bytes[offset] ^= 0x10;
        const code = module.delta_header_check(module.arena, frame.length);
        assert.ok(code < 0, `${name}, byte ${offset}: ${code}`);
        module.bytes[offset] ^= 0x10;
      }
    }
  }
});

test("header_check refuses the frames that WIRE.md says have a bad header", async () => {
  const codes = {
    checksum: -23,
    "unknown-flag": -18,
    "compressed-delete": -18,
    "version-2": -16,
    "unknown-operation": -17,
    "payload-offset-outside-ring": -21,
    "stamp-outside-ring": -21,
    "prev-not-before": -19,
    "epoch-0": -19,
    "digest-without-flag": -20,
    truncated: FRAME_SIZE,
  };
  const frames = await wireFrames("refused");
  for (const [name, code] of Object.entries(codes)) {
    const frame = frames.get(name);
    assert.ok(frame, `WIRE.md has no frame ${name}`);
    for (const module of both) {
      module.bytes.set(frame, 0);
      assert.equal(module.delta_header_check(module.arena, frame.length), code, name);
    }
  }
});
