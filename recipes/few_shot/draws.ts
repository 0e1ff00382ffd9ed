/** Results of single draws, saved one by one, so that an interrupted comparison can continue. */
import { AttuneError, refused, show } from "../../core/base/errors.ts";
import type { Named, Store } from "../../core/types.ts";

/** Saved draws. `once` returns the saved result of a draw, or computes and saves it. */
export type Draws = Readonly<{ once(name: string, find: () => Promise<number>): Promise<number> }>;

const FILE = "draws.jsonl";

/** Opens the draws of an output. Throws AttuneError if they are of another comparison, or exist without `resume`. */
export async function openDraws(
  store: Store,
  output: string,
  settings: Named<unknown>,
  resume: boolean,
): Promise<Draws> {
  const header = JSON.stringify(settings);
  const file = await store.get(FILE);
  const [first, ...lines] = file ? new TextDecoder().decode(file.bytes).trimEnd().split("\n") : [];
  if (first !== undefined && !resume) {
    const details = { code: "USAGE", plugin: "recipe", path: output };
    throw new AttuneError(`${output} is not empty: pass --resume to continue it, or another --output`, details);
  }
  if (first !== undefined && first !== header) {
    throw refused("recipe", `${output} holds another comparison: its options were ${show(JSON.parse(first))}`);
  }
  // A host may write a file in pieces, so the last line may be incomplete.
  const whole = lines.filter((line) => line.endsWith("]"));
  const known = new Map<string, number>(whole.map((line) => JSON.parse(line) as [string, number]));
  const write = async (): Promise<void> => {
    const text = [header, ...[...known].map((draw) => JSON.stringify(draw))].map((line) => `${line}\n`).join("");
    await store.put(FILE, new TextEncoder().encode(text));
  };
  await write();
  return {
    once: async (name, find) => {
      const before = known.get(name);
      if (before !== undefined) return before;
      const accuracy = await find();
      known.set(name, accuracy);
      await write();
      return accuracy;
    },
  };
}
