/** Memory that nobody uses any more, given back to the system at once. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

type Collect = (options?: Readonly<{ type: "major"; flavor: "last-resort" }>) => void;

let collect: Collect | undefined;

/**
 * Collects the garbage of the calling thread, and gives back the pages that it lay in, which V8 otherwise keeps for minutes:
 * after a run's parts are open they are more than what is still used.
 */
export function collectGarbage(): void {
  collect ??= "Bun" in globalThis ? collectInBun : collectInV8();
  collect({ type: "major", flavor: "last-resort" });
}

function collectInBun(): void {
  (globalThis as unknown as { Bun: { gc(wait: boolean): void } }).Bun.gc(true);
}

/** V8's own function, which only new contexts have once the flag is set. */
function collectInV8(): Collect {
  setFlagsFromString("--expose-gc");
  return (runInNewContext("globalThis.gc") as Collect | undefined) ?? (() => {});
}
