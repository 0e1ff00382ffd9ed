/** What single draws came to, kept as they come: a comparison that was interrupted goes on behind the last. */
import { AttuneError, refused, show } from "../../core/base/errors.ts";
import type { Named, Store } from "../../core/types.ts";

/** Draws that are kept. `once` gives what is known of one, or finds it out and keeps it. */
export type Draws = Readonly<{ once(name: string, find: () => Promise<number>): Promise<number> }>;

const FILE = "draws.jsonl";

/** The draws of an output. Throws AttuneError if it holds those of another comparison, or is not empty and not gone on with. */
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
  // A host may write a file in pieces: its last line may have been cut off.
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
