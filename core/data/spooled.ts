/**
 * Rows of a source that cannot seek, written to the user's cache as lines, so that they can be read by index.
 */
import { cachedJson, isJson } from "./cached.ts";
import { type IndexedLines, openLines } from "./line_index.ts";
import type { Row, Rows, Store } from "../types.ts";
import type { SeekableRows } from "./seekable_rows.ts";

/** Characters per write. */
const AT_ONCE = 2 ** 20;

/**
 * Returns the rows of a stream with access by index; undefined if the cache has no room, or JSON cannot represent them,
 * so that they must be held in memory. A file that another process wrote for the same rows is reused.
 */
export async function spooledRows(opened: Rows, cache: Store): Promise<SeekableRows | undefined> {
  const key = `rows/${opened.fingerprint}.jsonl`;
  const failure: { error?: unknown } = {};
  const open = (): Promise<IndexedLines> =>
    openLines({ plugin: "data", name: `cache/${key}`, store: cache, key, identity: key }, cache);
  const write = async (): Promise<IndexedLines> => {
    await cache.put(key, lineBytes(opened, failure));
    return await open();
  };
  try {
    const isThere = await cache.get(key, { offset: 0, length: 0 }) !== undefined;
    let lines = isThere ? await open() : await write();
    // The fingerprint at the time of writing: if the file has changed since, it is written again.
    const { fingerprint } = await cachedJson(cache, "spooled", [key], async () => {
      if (isThere) lines = await write();
      return { fingerprint: lines.fingerprint };
    });
    if (fingerprint !== lines.fingerprint) lines = await write();
    return fingerprint === lines.fingerprint ? seekableLines(opened, lines) : undefined;
  } catch {
    if (failure.error !== undefined) throw failure.error;
    return undefined;
  }
}

/** Yields rows as lines, each with the row's location (`where`). An error of the rows themselves goes to `failure`. */
async function* lineBytes(opened: Rows, failure: { error?: unknown }): AsyncGenerator<Uint8Array> {
  let text = "";
  const rows = opened.read()[Symbol.asyncIterator]();
  for (;;) {
    const next = await rows.next().catch((error) => {
      failure.error = error;
      throw error;
    });
    if (next.done) break;
    const { row, where = null } = next.value;
    if (!isJson(row)) throw new TypeError("A row contains a value that JSON cannot represent");
    text += `${JSON.stringify([where, row])}\n`;
    if (text.length < AT_ONCE) continue;
    yield new TextEncoder().encode(text);
    text = "";
  }
  yield new TextEncoder().encode(text);
}

function seekableLines(opened: Rows, { count, longest, at, read }: IndexedLines): SeekableRows {
  const parsed = ({ text }: Readonly<{ text: string }>): readonly [string | null, Row] => JSON.parse(text);
  return {
    ...opened,
    length: count,
    longest,
    at: async (numbers) => (await at(numbers)).map((line) => parsed(line)[1]),
    where: async (number) => (await at([number])).map((line) => parsed(line)[0] ?? undefined)[0],
    read: async function* (from) {
      let number = from?.at ?? 0;
      for await (const line of read(number)) {
        const [where, row] = parsed(line);
        yield { row, next: { at: ++number }, ...(where === null ? {} : { where }) };
      }
    },
  };
}
