// Runs the wasm modules of this crate and shows what they print.
// Usage: node --test-reporter=tap .ci/no-os/run.mjs MODULE.wasm...

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

const paths = process.argv.slice(2);
assert.ok(paths.length > 0, "usage: node run.mjs MODULE.wasm...");

for (const path of paths) {
  test(`the checks hold in ${path}`, async () => {
    let printed = "";
    let memory;
    const print = (text, size) => {
      printed += new TextDecoder().decode(new Uint8Array(memory.buffer, text, size));
    };
    const { instance } = await WebAssembly.instantiate(await readFile(path), { host: { print } });
    memory = instance.exports.memory;
    let result;
    try {
      result = instance.exports.delta_checks();
    } catch (trap) {
      printed += `${trap}\n`;
    }
    for (const line of printed.trimEnd().split("\n")) console.log(`# ${line}`);
    assert.equal(result, 1, printed);
    assert.match(printed, /replica: identical/);
    assert.match(printed, /graph: 97 lines/);
  });
}
