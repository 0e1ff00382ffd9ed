/**
 * What single draws came to, kept as they come: a comparison that was interrupted goes on behind the last.
 * @module
 */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AttuneError, refused, show } from "../../core/errors.ts";
import type { Json, Named } from "../../core/types.ts";
import { makeFolderSync } from "../../runtimes/host/make_folder.ts";

/** Draws that are kept. `once` gives what is known of one, or finds it out and keeps it. */
export type Draws = Readonly<{ once(name: string, find: () => Promise<number>): Promise<number> }>;

/** The draws of an output. Throws AttuneError where it holds those of another comparison, or is not empty and not gone on with. */
export function drawsIn(output: string, settings: Named<unknown>, resume: boolean): Draws {
  const file = join(output, "draws.jsonl");
  const header = JSON.stringify(settings);
  makeFolderSync(output);
  const [first, ...lines] = existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n") : [];
  if (first !== undefined && !resume) {
    const details = { code: "USAGE", plugin: "recipe", path: output };
    throw new AttuneError(`${output} is not empty: pass --resume to continue it, or another --output`, details);
  }
  if (first !== undefined && first !== header) {
    throw refused("recipe", `${output} holds another comparison: its options were ${show(JSON.parse(first))}`);
  }
  // The last line may have been cut off.
  const whole = lines.filter((line) => line.endsWith("]"));
  writeFileSync(file, [header, ...whole].map((line) => `${line}\n`).join(""));
  const known = new Map<string, number>(whole.map((line) => JSON.parse(line) as [string, number]));
  return {
    once: async (name, find) => {
      const before = known.get(name);
      if (before !== undefined) return before;
      const found = await find();
      appendFileSync(file, `${JSON.stringify([name, found] satisfies Json)}\n`);
      return found;
    },
  };
}
