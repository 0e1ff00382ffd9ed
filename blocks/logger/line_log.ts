/**
 * A text of one line per event that survives crashes and resuming: a checkpoint remembers how long it was, and what came
 * later is cut off when the run goes on from there.
 */
import type { Store } from "../../core/types.ts";
import { appendQueue } from "./append_queue.ts";

/** Lines on their way to a store. */
export interface LineLog {
  /**
   * Lets lines out, behind the first `kept` bytes of an earlier attempt; undefined: behind all of its whole lines. Later
   * calls do nothing.
   */
  begin(bytes: number | undefined): void;
  write(line: string): void;
  /** Waits until everything is on disk, and says how many bytes that is. */
  mark(): Promise<number>;
  close(): Promise<void>;
}

/** Opens a log. `header` is the first line of a new one. */
export async function lineLog(store: Store, key: string, header?: string): Promise<LineLog> {
  const object = await store.get(key);
  let before = object?.bytes;
  const queue = appendQueue(store, key);
  const encoder = new TextEncoder();
  const waiting: string[] = [];
  let begun = false;
  let size = 0;
  const write = (line: string): void => {
    const bytes = encoder.encode(`${line}\n`);
    size += bytes.length;
    queue.append(bytes);
  };
  return {
    begin: (length = before?.length ?? 0) => {
      if (begun) return;
      begun = true;
      const old = before ?? new Uint8Array();
      const text = old.subarray(0, old.subarray(0, length).lastIndexOf(0x0a) + 1);
      if (text.length !== old.length) queue.replace(text);
      size = text.length;
      before = undefined;
      if (header !== undefined && size === 0) write(header);
      for (const line of untold(new TextDecoder().decode(text), waiting.splice(0))) write(line);
    },
    write: (line) => {
      if (begun) write(line);
      else waiting.push(line);
    },
    mark: async () => {
      await queue.flush();
      return size;
    },
    close: async () => {
      // A run that never began leaves the log of an earlier attempt as it was, and says why.
      if (waiting.length > 0) {
        const old = new TextDecoder().decode(before);
        const text = old + untold(old, waiting.splice(0)).map((line) => `${line}\n`).join("");
        queue.replace(encoder.encode(text));
      }
      await queue.close();
    },
  };
}

/** The lines that a text does not have: what an earlier attempt has told is not told again. */
function untold(text: string, lines: readonly string[]): string[] {
  const told = new Set(text.split("\n"));
  return lines.filter((line) => !told.has(line));
}
