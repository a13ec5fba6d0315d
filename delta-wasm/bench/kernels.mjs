// Times the core's kernels and a peer's diff as wasm in Node, beside the same natively.
// Usage: node kernels.mjs MODULE.wasm NATIVE_PROGRAM [ROWS.json]
// The comparisons are also written to ROWS.json, as rows of the benches.

import { execFileSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";

const KERNELS = ["diff", "count", "digest", "scatter", "distance", "peer_diff"];
const [ROUNDS, REPEATS] = [20, 7];

const [modulePath, nativePath, rowsPath] = process.argv.slice(2);
const { instance } = await WebAssembly.instantiate(await readFile(modulePath), {});
const { setup, run, patterns } = instance.exports;

const wasm = {};
for (const dim of [384, 1536]) {
  for (const percent of [0, 5]) {
    KERNELS.forEach((name, kernel) => {
      setup(dim, percent);
      // Until the engine has compiled it with its optimising tier.
      for (let at = 0; at < 10; at += 1) run(kernel, 2);
      let fastest = Infinity;
      for (let at = 0; at < REPEATS; at += 1) {
        const start = performance.now();
        run(kernel, ROUNDS);
        fastest = Math.min(fastest, ((performance.now() - start) * 1e6) / (ROUNDS * patterns()));
      }
      wasm[`${name}-${dim}-${percent}`] = Math.round(fastest * 10) / 10;
    });
  }
}
const native = JSON.parse(execFileSync(nativePath, { encoding: "utf8" }));
console.log("kernel-dim-percent          wasm ns  native ns native/wasm");
for (const [name, ns] of Object.entries(wasm)) {
  const ratio = (native[name] / ns).toFixed(2);
  console.log(
    [name.padEnd(22), ...[ns, native[name], ratio].map((cell) => `${cell}`.padStart(10))].join(" "),
  );
}
for (const dim of [384, 1536]) {
  for (const percent of [0, 5]) {
    const ratio = wasm[`peer_diff-${dim}-${percent}`] / wasm[`diff-${dim}-${percent}`];
    console.log(`peer's diff / ours, ${dim}-d, ${percent}%: ${ratio.toFixed(1)}`);
  }
}

/** A row of the benches; a ratio above 1: ours is better. */
function row(work, ours, peer, peer_name, bar) {
  const ratio = peer / ours;
  return { work, ours, peer, peer_name, unit: "ns", ratio, bar, met: bar && ratio >= bar };
}

if (rowsPath) {
  const rows = [];
  for (const dim of [384, 1536]) {
    for (const percent of [0, 5]) {
      const work = (name) => `simd128 in Node: ${name} ${dim}-d, ${percent}% changed`;
      for (const name of KERNELS.slice(0, -1)) {
        const key = `${name}-${dim}-${percent}`;
        rows.push(row(work(name), wasm[key], native[key], "native SSE2", 0.6));
      }
      const [ours, peer] = ["diff", "peer_diff"].map((name) => wasm[`${name}-${dim}-${percent}`]);
      rows.push(row(work("diff"), ours, peer, "ruvector-delta-core in Node", null));
    }
  }
  await writeFile(rowsPath, JSON.stringify(rows));
}
