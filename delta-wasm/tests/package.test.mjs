// What `npm pack` would publish.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../npm", import.meta.url));
const manifest = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));

test("npm pack takes the sources, the types and all modules, and nothing else", () => {
  const flags = ["pack", "--dry-run", "--json", "--ignore-scripts"];
  const [{ files }] = JSON.parse(execFileSync("npm", flags, { cwd: folder, encoding: "utf8" }));
  const paths = files.map(({ path }) => path);
  const stages = ["apply", "capture", "process"];
  const variants = ["plain-scalar", "plain-simd128", "shared-scalar", "shared-simd128"];
  const modules = stages.flatMap((stage) => variants.map((name) => `wasm/${stage}.${name}.wasm`));
  assert.deepEqual(paths.filter((path) => path.endsWith(".wasm")).sort(), modules);
  for (const path of [
    "package.json",
    "README.md",
    "src/index.js",
    "src/index.d.ts",
    "src/worker.js",
  ]) {
    assert.ok(paths.includes(path), path);
  }
  const known = /^(package\.json|README\.md|src\/[a-z]+\.(js|d\.ts)|wasm\/[a-z0-9.-]+\.wasm)$/;
  assert.deepEqual(
    paths.filter((path) => !known.test(path)),
    [],
  );
});

test("the package has no dependencies, and its version is the workspace's", () => {
  assert.equal(manifest.dependencies, undefined);
  assert.equal(manifest.type, "module");
  const cargo = readFileSync(`${folder}/../../Cargo.toml`, "utf8");
  assert.ok(cargo.includes(`version = "${manifest.version}"`));
});

test("the entry exports what its types declare", async () => {
  const names = Object.keys(await import("../npm/src/index.js"));
  const types = readFileSync(`${folder}/src/index.d.ts`, "utf8");
  const declared = [...types.matchAll(/^export (?:declare )?(?:function|class) (\w+)/gm)].map(
    ([, name]) => name,
  );
  assert.deepEqual(
    declared
      .filter((name) => name !== "Pipeline" && name !== "Replica" && name !== "Writer")
      .sort(),
    names.sort(),
  );
});
