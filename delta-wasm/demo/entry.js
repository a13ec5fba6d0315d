// What a person reads of an entry.

/** The fields of `meta`, JSON as in the stream's file; of what is no object, none. */
function fieldsOf(meta) {
  try {
    return JSON.parse(meta) ?? {};
  } catch {
    return {};
  }
}

const textOf = (value) => (["string", "number"].includes(typeof value) ? `${value}` : "");

/** An entry for the page. Where its metadata names no heading, its id has to do. */
export function entryOf(slot, id, { meta = "{}" }) {
  const { h, rel } = fieldsOf(meta);
  return { slot, id, heading: textOf(h), version: textOf(rel) };
}
