// The frames that arrived, kept in a file of the page's origin: after a reload the replica is made
// of them again, and the stream goes on where it was.

const FILE = "frames.delta";
/** Bytes that are kept at most; a reload then goes on from there. */
const KEPT_MAX = 256 << 20;
const CHUNK = 1 << 20;

/** Opens the file; nothing is kept where none is to be had: a second tab, an insecure page. */
export async function openKept() {
  try {
    const folder = await navigator.storage.getDirectory();
    const file = await folder.getFileHandle(FILE, { create: true });
    return new Kept(await file.createSyncAccessHandle());
  } catch {
    return new Kept();
  }
}

export class Kept {
  #file;
  #bytesMax;
  /** A batch was not kept: what comes behind it would leave a gap. */
  #isOver = false;

  /** @param file none: nothing is kept */
  constructor(file, bytesMax = KEPT_MAX) {
    this.#file = file;
    this.#bytesMax = bytesMax;
    this.bytes = file?.getSize() ?? 0;
  }

  /** The bytes kept, in chunks. */
  *chunks() {
    for (let at = 0; at < this.bytes; ) {
      const chunk = new Uint8Array(Math.min(CHUNK, this.bytes - at));
      const read = this.#file.read(chunk, { at });
      if (read === 0) return;
      yield chunk.subarray(0, read);
      at += read;
    }
  }

  /** Keeps whole frames. A disk that is full keeps what it has, until `cut(0)`. */
  add(frames) {
    if (!this.#file || this.#isOver) return;
    if (this.#write(frames)) {
      this.bytes += frames.length;
      return;
    }
    this.#isOver = true;
    this.cut(this.bytes);
  }

  /** Writes behind what is kept; whether all of it. */
  #write(frames) {
    if (this.bytes + frames.length > this.#bytesMax) return false;
    try {
      return this.#file.write(frames, { at: this.bytes }) === frames.length;
    } catch {
      return false;
    }
  }

  /** Leaves the first `bytes` alone; with 0 the keeping begins anew. */
  cut(bytes) {
    if (bytes === 0) this.#isOver = false;
    this.bytes = bytes;
    this.#file?.truncate(bytes);
  }

  /** For a machine that stops at once; a page that is closed loses nothing. */
  flush() {
    this.#file?.flush();
  }
}
