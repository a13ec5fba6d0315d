// Workers of browsers and of Node behind one face.

import { DeltaError } from "./errors.js";
import { isNode } from "./modules.js";

/** Starts the package's worker. `onMessage` gets its messages, `onGone` why it is gone. */
export async function startWorker({ onMessage, onGone }) {
  if (isNode) {
    const { Worker: NodeWorker } = await import(/* @vite-ignore */ "node:worker_threads");
    const worker = new NodeWorker(new URL("./worker.js", import.meta.url));
    worker.on("message", onMessage);
    worker.on("error", (error) => onGone(error));
    worker.on("exit", (code) => onGone(new Error(`the worker ended with code ${code}`)));
    return worker;
  }
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }) => onMessage(data);
  worker.onerror = (event) => onGone(new Error(event.message));
  return worker;
}

/** Lets other tasks of this thread run. */
export function yieldToTasks() {
  if (typeof setImmediate === "function") return new Promise((resolve) => setImmediate(resolve));
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

/** A worker that answers questions by number. */
export class Peer {
  worker;
  #waiting = new Map();
  #next = 0;
  /** Why it cannot be asked any more. */
  gone;

  static async start({ onNote = () => {} } = {}) {
    const peer = new Peer();
    peer.worker = await startWorker({
      onMessage: (message) => {
        if (message.id === undefined) {
          if (message.fault) peer.fail(DeltaError.fromMessage(message.fault));
          else onNote(message);
          return;
        }
        // Nobody waits any more for the answers of a peer that has failed.
        const question = peer.#waiting.get(message.id);
        peer.#waiting.delete(message.id);
        if (message.error) question?.reject(DeltaError.fromMessage(message.error));
        else question?.resolve(message.result);
      },
      onGone: (cause) =>
        peer.fail(
          new DeltaError("READER_GONE", "a worker of the pipeline is gone: create another", [], {
            cause,
          }),
        ),
    });
    return peer;
  }

  /** Nobody gets an answer any more; the first `error` says why. */
  fail(error) {
    this.gone ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.gone);
    this.#waiting.clear();
  }

  /** Sends a message that is not answered. */
  note(message, transfer = []) {
    this.worker.postMessage(message, transfer);
  }

  ask(method, ...args) {
    if (this.gone) return Promise.reject(this.gone);
    this.#next += 1;
    const id = this.#next;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, method, args });
    });
  }

  async stop() {
    this.fail(new DeltaError("CLOSED", "the pipeline was closed: create another"));
    await this.worker.terminate();
  }
}
