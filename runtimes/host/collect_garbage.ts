/** Prompt return of unused memory to the system. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

type Collect = (options?: Readonly<{ type: "major"; flavor: "last-resort" }>) => void;

let collect: Collect | undefined;

/**
 * Collects the garbage of the calling thread and returns its pages to the system, which V8 otherwise keeps for minutes:
 * after a run is opened, they exceed what is still in use.
 */
export function collectGarbage(): void {
  collect ??= "Bun" in globalThis ? collectInBun : collectInV8();
  collect({ type: "major", flavor: "last-resort" });
}

function collectInBun(): void {
  (globalThis as unknown as { Bun: { gc(wait: boolean): void } }).Bun.gc(true);
}

/** Returns V8's function, which only new contexts have after the flag is set. */
function collectInV8(): Collect {
  setFlagsFromString("--expose-gc");
  return (runInNewContext("globalThis.gc") as Collect | undefined) ?? (() => {});
}
