// Times the core's kernels and a peer's diff as wasm in Node, beside the same natively.
// Usage: node kernels.mjs MODULE.wasm NATIVE_PROGRAM

import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";

const KERNELS = ["diff", "count", "digest", "scatter", "distance", "peer_diff"];
const [ROUNDS, REPEATS] = [20, 7];

const [modulePath, nativePath] = process.argv.slice(2);
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
