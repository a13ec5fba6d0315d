// The live page in Chromium, served by `delta serve`: `cargo xtask test browser` runs it and says
// in the environment where everything is.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";

const { DELTA_CHROMIUM, DELTA_PLAYWRIGHT, DELTA_COMMAND, DELTA_PICTURES } = process.env;
const { chromium } = await import(pathToFileURL(DELTA_PLAYWRIGHT));

const SITE = "target/page";
const TIMEOUT_MS = 60_000;
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

let folder;
let frames;
let total;
let server;
let context;

/** Serves the sample's first records at once and the others at a rate; where it listens. */
async function serve({ file = frames, first, rate, port = 0 }) {
  const options = ["serve", file, "--port", port, "--first", first, "--rate", rate];
  const process = spawn(DELTA_COMMAND, [...options, "--site", SITE].map(String), {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  const url = await new Promise((resolve, reject) => {
    process.once("exit", (code) => reject(new Error(`delta serve ended with code ${code}`)));
    process.stdout.on("data", (chunk) => {
      text += chunk;
      const found = text.match(/http:\S+/);
      if (found) resolve(found[0]);
    });
  });
  return { url, port: Number(new URL(url).port), process };
}

async function stop({ process }) {
  if (process.exitCode !== null) return;
  const ended = new Promise((resolve) => process.once("exit", resolve));
  process.kill();
  await ended;
}

/** A tab that has shown its first search. `asked`: where its requests for frames began. */
async function open() {
  const page = await context.newPage();
  const seen = { asked: [], errors: [] };
  // The worker's requests are the context's, not the page's alone.
  context.on("request", (request) => {
    const url = new URL(request.url());
    if (url.pathname === "/frames") seen.asked.push(Number(url.searchParams.get("after")));
  });
  page.on("pageerror", (error) => seen.errors.push(error.message));
  page.setDefaultTimeout(TIMEOUT_MS);
  await page.goto(server.url);
  await page.waitForSelector("#hits tr");
  return { page, seen };
}

/** Writes the sample to `file` as frames, with further `options`; how many records it has. */
function exported(file, ...options) {
  const sample = "delta-native/sample/book_docs";
  const said = execFileSync(DELTA_COMMAND, ["export", sample, "-o", file, ...options]);
  return Number(said.toString().match(/(\d+) records/)[1]);
}

const state = (page) => page.textContent("#state");
const figure = (page, name) => page.textContent(`[data-figure="${name}"]`);
const untilState = (page, wanted) =>
  page.waitForFunction(
    (text) => document.querySelector("#state").textContent === text,
    wanted,
  );

/** What the page shows, in one look: record, row, and the rows found with their distances' bits. */
const shown = (page) =>
  page.evaluate(() => {
    const hits = document.querySelector("#hits");
    return {
      sequence: Number(hits.dataset.sequence),
      of: Number(hits.dataset.of),
      hits: [...hits.rows].map(({ dataset }) => [
        Number(dataset.slot),
        Number(dataset.distanceBits),
      ]),
    };
  });

/** The page shows what the native replica of the same records finds. */
async function assertAsNative(page, file = frames) {
  const { sequence, of, hits } = await shown(page);
  const options = ["search", file, of, "--records", sequence, "--json"].map(String);
  const native = JSON.parse(execFileSync(DELTA_COMMAND, options));
  assert.equal(native.records, sequence);
  const nativeHits = native.hits.map(({ slot, distance_bits }) => [slot, distance_bits]);
  assert.deepEqual(hits, nativeHits);
  assert.ok(hits.length > 0);
  return native;
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "delta-page-"));
  frames = join(folder, "book_docs.delta");
  total = exported(frames);
  context = await chromium.launchPersistentContext(join(folder, "profile"), {
    executablePath: DELTA_CHROMIUM,
    args: FLAGS,
    viewport: { width: 1200, height: 800 },
    colorScheme: "light",
  });
});

after(async () => {
  await context?.close();
  if (server) await stop(server);
  await rm(folder, { recursive: true, force: true });
});

test("the stream arrives, stays live, and answers as the native replica does", async (t) => {
  server = await serve({ first: 300, rate: 100 });
  const { page, seen } = await open();
  const loaded = await page.evaluate(() => performance.now());
  t.diagnostic(`first search ${Math.round(loaded)} ms after the load began`);
  assert.equal(await page.evaluate(() => crossOriginIsolated), true);
  await assertAsNative(page);
  const earlier = (await shown(page)).sequence;
  await page.waitForFunction((then) => document.querySelector("#hits").dataset.sequence > then, [
    earlier,
  ]);
  await assertAsNative(page);

  await untilState(page, "ended");
  const native = await assertAsNative(page);
  assert.equal(native.records, total);
  assert.equal(await figure(page, "Digest"), native.digest);
  assert.match(await figure(page, "Ring"), /^0% full, at most \d+%$/);

  await page.fill("#find", "hash maps");
  await page.waitForSelector("#found li[data-slot]");
  await page.keyboard.press("ArrowDown");
  const slot = Number(await page.getAttribute('#found [aria-selected="true"]', "data-slot"));
  await page.keyboard.press("Enter");
  await page.waitForFunction((of) => document.querySelector("#hits").dataset.of === of, `${slot}`);
  await assertAsNative(page);
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: join(DELTA_PICTURES, `${colorScheme}.png`) });
  }
  assert.deepEqual(seen.errors, []);
  await page.close();
  await stop(server);
});

test("a reload goes on from the position, by what was kept", async () => {
  server = await serve({ first: 400, rate: 20 });
  const { page, seen } = await open();
  await untilState(page, "live");
  await page.waitForFunction(() => document.querySelector("#hits").dataset.sequence > 405);
  const before = (await shown(page)).sequence;
  seen.asked.length = 0;
  await page.reload();
  await page.waitForSelector("#hits tr");
  await untilState(page, "live");
  assert.equal(seen.asked.length, 1);
  assert.ok(seen.asked[0] >= before, `asked for frames after ${seen.asked[0]}, had ${before}`);
  assert.equal(Number((await figure(page, "Resumed at")).replace(",", "")), seen.asked[0]);
  await page.waitForFunction(
    (then) => document.querySelector("#hits").dataset.sequence > then,
    seen.asked[0],
  );
  await assertAsNative(page);
  assert.equal(await figure(page, "Duplicates"), "0");
  assert.equal(await figure(page, "Restarts"), "0");
  assert.deepEqual(seen.errors, []);
  await page.close();
  await stop(server);
});

test("a dropped connection resumes from the position", async () => {
  server = await serve({ first: 500, rate: 20 });
  const { page, seen } = await open();
  await untilState(page, "live");
  await stop(server);
  await untilState(page, "reconnecting");
  const before = (await shown(page)).sequence;
  await assertAsNative(page);
  seen.asked.length = 0;
  server = await serve({ first: before + 10, rate: 20, port: server.port });
  await untilState(page, "live");
  assert.equal(seen.asked.at(-1), before);
  await page.waitForFunction(
    (then) => document.querySelector("#hits").dataset.sequence > then,
    before + 10,
  );
  await assertAsNative(page);
  assert.equal(await figure(page, "Duplicates"), "0");
  assert.equal(await figure(page, "Restarts"), "0");
  assert.equal(await page.isHidden("#problem"), true);
  assert.deepEqual(seen.errors, []);
  await page.close();
  await stop(server);
});

test("a server whose stream the replica is ahead of gives a fresh start", async () => {
  // The port makes the origin, and what the test before has kept there is ahead of this stream.
  server = await serve({ first: 100, rate: 1, port: server.port });
  const { page } = await open();
  await untilState(page, "live");
  assert.equal(await figure(page, "Restarts"), "1");
  await assertAsNative(page);
  assert.ok((await shown(page)).sequence < 400);
  await page.close();
  await stop(server);
});

test("a stream with a graph is searched by it", async () => {
  const file = join(folder, "graph.delta");
  const records = exported(file, "--graph");
  server = await serve({ file, first: 300, rate: 200 });
  const { page, seen } = await open();
  assert.match(await page.textContent("#how"), /by the graph/);
  await assertAsNative(page, file);
  await untilState(page, "ended");
  const native = await assertAsNative(page, file);
  assert.equal(native.records, records);
  assert.equal(await figure(page, "Digest"), native.digest);
  assert.deepEqual(seen.errors, []);
  await page.close();
  await stop(server);
});
