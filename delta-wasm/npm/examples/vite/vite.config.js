// With these headers the page may share memory between threads; without them the package copies.
const headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

export default {
  // Left as it is: its workers and modules are found by their URLs.
  optimizeDeps: { exclude: ["delta-wasm"] },
  build: { target: "esnext" },
  worker: { format: "es" },
  server: { headers },
  preview: { headers },
};
