/**
 * A log of one line per event that survives crashes and resuming: a checkpoint stores its length, and a run that
 * resumes cuts off whatever came later.
 */
import type { Store } from "../../core/types.ts";
import { appendQueue } from "./append_queue.ts";

/** Lines waiting to be written to a store. */
export interface LineLog {
  /**
   * Starts writing, after the first `bytes` bytes of an earlier attempt; undefined: after all of its complete lines.
   * Later calls do nothing.
   */
  begin(bytes: number | undefined): void;
  write(line: string): void;
  /** Waits until everything is on disk; returns the number of bytes. */
  mark(): Promise<number>;
  close(): Promise<void>;
}

/** Opens a log. `header` is the first line of a new log. */
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
      for (const line of missingLines(new TextDecoder().decode(text), waiting.splice(0))) write(line);
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
      // A run that failed before it began leaves the log of an earlier attempt as it was, and adds why.
      if (waiting.length > 0) {
        const old = new TextDecoder().decode(before);
        const text = old + missingLines(old, waiting.splice(0)).map((line) => `${line}\n`).join("");
        queue.replace(encoder.encode(text));
      }
      await queue.close();
    },
  };
}

/** Returns the lines that are not in a text, so that a resumed run does not repeat an earlier attempt's. */
function missingLines(text: string, lines: readonly string[]): string[] {
  const told = new Set(text.split("\n"));
  return lines.filter((line) => !told.has(line));
}
