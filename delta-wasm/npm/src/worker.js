// A worker of a pipeline: relays or applies the records of a ring, or applies frames that are sent
// to it, and answers questions in between.

import { DeltaError } from "./errors.js";
import { CONTROL, controlWords } from "./memory.js";
import { isNode } from "./modules.js";
import { createReplica, QUESTIONS, ReplicaView } from "./replica.js";
import { ApplyStage, ProcessStage } from "./stages.js";
import { yieldToTasks } from "./threads.js";

const port = isNode
  ? (await import(/* @vite-ignore */ "node:worker_threads")).parentPort
  : globalThis;
const send = (message) => port.postMessage(message);

/** Records a turn; after it the worker looks at its control words. */
const BURST = 256;

/** What is asked: a stage on a shared memory, or a replica of the worker's own. */
let view;
/** Questions answered or begun. */
let heard = 0;

function messageOf(error) {
  const known =
    error instanceof DeltaError
      ? error
      : new DeltaError("FAILED", `a worker failed: ${error.message}`);
  return known.toMessage();
}

/** Does the stage's work until told to stop. */
async function run({ work, wait, checkCanary }, words, spinMs) {
  let idleSince;
  // The answer that the stage is open leaves first.
  await yieldToTasks();
  while (Atomics.load(words, CONTROL.STOP) === 0) {
    if (Atomics.load(words, CONTROL.ASKED) !== heard) await yieldToTasks();
    const done = work();
    if (done > 0) {
      Atomics.add(words, CONTROL.DONE, done);
      Atomics.notify(words, CONTROL.DONE);
      idleSince = undefined;
      continue;
    }
    const now = performance.now();
    idleSince ??= now;
    if (now - idleSince >= spinMs) {
      wait();
      checkCanary();
    }
  }
}

const setups = {
  /** Runs a stage on a shared memory. */
  async stage({ name, module, memory, place, layout, control, spinMs }) {
    const Stage = name === "apply" ? ApplyStage : ProcessStage;
    const stage = await Stage.open(module, memory, place, layout);
    if (name === "apply") view = new ReplicaView(stage);
    const words = controlWords(memory, control);
    const duty = {
      work: name === "apply" ? () => stage.poll(BURST) : () => stage.relay(BURST),
      wait: () => stage.wait(),
      checkCanary: () => stage.checkCanary(),
    };
    // Not awaited: it ends with the pipeline.
    run(duty, words, spinMs).catch((error) => send({ fault: messageOf(error) }));
  },
  /** Opens a replica of the worker's own, which frames are sent to. */
  async replica(options) {
    view = await createReplica(options);
  },
};

async function answer({ id, method, args }) {
  try {
    if (Object.hasOwn(setups, method)) {
      send({ id, result: await setups[method](...args) });
      return;
    }
    heard = (heard + 1) | 0;
    if (!QUESTIONS.includes(method))
      throw new DeltaError("QUESTION", `no question is called ${method}`);
    send({ id, result: view[method](...args) });
  } catch (error) {
    send({ id, error: messageOf(error) });
  }
}

/** Applies frames that were sent, and says how far it is: their sender counts what is under way. */
function applySent(frames) {
  try {
    const applied = view.apply(frames);
    send({ applied, bytes: frames.length });
  } catch (error) {
    send({ fault: messageOf(error) });
  }
}

function receive(message) {
  if (message.frames) applySent(message.frames);
  else answer(message);
}

if (isNode) port.on("message", receive);
else port.onmessage = ({ data }) => receive(data);
