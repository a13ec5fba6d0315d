// The compiled modules: which variant a place can run, where its files are, and their compilation.

import { DeltaError } from "./errors.js";

// Written out, so that bundlers find them.
const URLS = {
  "capture.plain-scalar": new URL("../wasm/capture.plain-scalar.wasm", import.meta.url),
  "capture.plain-simd128": new URL("../wasm/capture.plain-simd128.wasm", import.meta.url),
  "capture.shared-scalar": new URL("../wasm/capture.shared-scalar.wasm", import.meta.url),
  "capture.shared-simd128": new URL("../wasm/capture.shared-simd128.wasm", import.meta.url),
  "process.plain-scalar": new URL("../wasm/process.plain-scalar.wasm", import.meta.url),
  "process.plain-simd128": new URL("../wasm/process.plain-simd128.wasm", import.meta.url),
  "process.shared-scalar": new URL("../wasm/process.shared-scalar.wasm", import.meta.url),
  "process.shared-simd128": new URL("../wasm/process.shared-simd128.wasm", import.meta.url),
  "apply.plain-scalar": new URL("../wasm/apply.plain-scalar.wasm", import.meta.url),
  "apply.plain-simd128": new URL("../wasm/apply.plain-simd128.wasm", import.meta.url),
  "apply.shared-scalar": new URL("../wasm/apply.shared-scalar.wasm", import.meta.url),
  "apply.shared-simd128": new URL("../wasm/apply.shared-simd128.wasm", import.meta.url),
};

// A module of one function, `() -> v128`: v128.const 0.
const SIMD128_PROBE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 22, 1, 20, 0, 253, 12, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11,
]);

export const isNode = typeof globalThis.process?.versions?.node === "string";

/** What this place can do. */
export function features() {
  return {
    simd128: WebAssembly.validate(SIMD128_PROBE),
    // A page that is not cross-origin isolated may have the constructor and yet cannot share.
    sharedMemory:
      typeof SharedArrayBuffer === "function" &&
      (isNode || globalThis.crossOriginIsolated === true),
  };
}

/** The name of the variant for what is asked, e.g. `shared-simd128`. */
export function variantOf({ shared, simd = "auto" }) {
  const can = features();
  if (!["auto", "require", "never"].includes(simd)) {
    throw new DeltaError("OPTION", `simd is ${simd}: pass "auto", "require" or "never"`);
  }
  if (simd === "require" && !can.simd128) {
    throw new DeltaError(
      "SIMD_UNAVAILABLE",
      'this engine has no simd128: pass simd: "auto", which takes the scalar modules',
    );
  }
  if (shared && !can.sharedMemory) {
    throw new DeltaError(
      "SHARED_MEMORY_UNAVAILABLE",
      "this page cannot share memory: serve it with Cross-Origin-Opener-Policy: same-origin and " +
        'Cross-Origin-Embedder-Policy: require-corp, or pass mode: "copy"',
    );
  }
  const isSimd = simd !== "never" && can.simd128;
  return `${shared ? "shared" : "plain"}-${isSimd ? "simd128" : "scalar"}`;
}

const compiled = new Map();

/** The compiled module of a stage, fetched once. */
export function compile(stage, variant) {
  const name = `${stage}.${variant}`;
  if (!compiled.has(name)) {
    const module = load(URLS[name]);
    compiled.set(name, module);
    module.catch(() => compiled.delete(name));
  }
  return compiled.get(name);
}

async function load(url) {
  try {
    if (url.protocol === "file:" && isNode) {
      const { readFile } = await import(/* @vite-ignore */ "node:fs/promises");
      return await WebAssembly.compile(await readFile(url));
    }
    const response = await fetch(url);
    if (!response.ok) throw new Error(`status ${response.status}`);
    return await WebAssembly.compile(await response.arrayBuffer());
  } catch (cause) {
    const message = `cannot load ${url.href}: serve the package's wasm folder beside its src`;
    throw new DeltaError("MODULE_UNAVAILABLE", message, [], { cause });
  }
}
