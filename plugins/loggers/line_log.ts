/**
 * A text of one line per event that survives crashes and resuming: what lies behind the step from which a run continues is
 * cut off, and so is a line that a crash has torn.
 * @module
 */
import type { Store } from "../../core/types.ts";
import { appendQueue } from "./append_queue.ts";

/** Lines on their way to a store. */
export interface LineLog {
  /** Says from which step the run goes on; lines wait for it. */
  begin(step: number): void;
  write(line: string): void;
  close(): Promise<void>;
}

/**
 * Opens a log. `keeps` says of a line written by an earlier attempt whether it belongs to the run up to a step; `header` is
 * the first line of a new log.
 */
export async function lineLog(
  store: Store,
  key: string,
  keeps: (line: string, step: number) => boolean,
  header?: string,
): Promise<LineLog> {
  const found = await store.get(key);
  let before = found ? new TextDecoder().decode(found.bytes) : undefined;
  const queue = appendQueue(store, key);
  const encoder = new TextEncoder();
  const waiting: string[] = [];
  let begun = false;
  const write = (line: string): void => queue.append(encoder.encode(`${line}\n`));
  return {
    begin: (step) => {
      if (begun) return;
      begun = true;
      const kept = step === 0
        ? []
        : (before ?? "").split("\n").slice(0, -1).filter((line) => line === header || keeps(line, step));
      if (header !== undefined && kept[0] !== header) kept.unshift(header);
      const text = kept.map((line) => `${line}\n`).join("");
      if (text !== (before ?? "")) queue.replace(encoder.encode(text));
      before = undefined;
      for (const line of waiting.splice(0)) write(line);
    },
    write: (line) => {
      if (begun) write(line);
      else waiting.push(line);
    },
    close: async () => {
      // A run that never began leaves the log of an earlier attempt as it was, and says why.
      if (waiting.length > 0) {
        queue.replace(encoder.encode(`${before ?? ""}${waiting.splice(0).map((line) => `${line}\n`).join("")}`));
      }
      await queue.close();
    },
  };
}
