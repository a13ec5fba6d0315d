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

class Kept {
  #file;

  constructor(file) {
    this.#file = file;
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

  /** Keeps whole frames. A disk that is full keeps what it has. */
  add(frames) {
    if (!this.#file || this.bytes + frames.length > KEPT_MAX) return;
    try {
      const written = this.#file.write(frames, { at: this.bytes });
      if (written === frames.length) this.bytes += written;
      else this.cut(this.bytes);
    } catch {
      this.cut(this.bytes);
    }
  }

  /** Leaves the first `bytes` alone. */
  cut(bytes) {
    this.bytes = bytes;
    this.#file?.truncate(bytes);
  }

  /** For a machine that stops at once; a page that is closed loses nothing. */
  flush() {
    this.#file?.flush();
  }
}
