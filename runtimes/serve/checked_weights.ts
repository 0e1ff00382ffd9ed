/** A cache of checked weights, so that requests which name them again need no second check. */
import { checkFinite } from "../../core/files/finite_weights.ts";
import { weightKeys } from "../../core/files/gguf_folder.ts";
import type { Store } from "../../core/types.ts";
import { adapterFiles } from "../../formats/peft/files.ts";

/** Checks weights once, until their files change. `id`: identifies the owner of the files, as in `ModelFiles`. */
export type CheckedWeights = Readonly<{
  /** Checks all files of a model. Throws AttuneError if one has values that cannot be computed with. */
  checkModel(id: string, files: Store): Promise<void>;
  /** Checks one adapter's file in the same way. */
  checkAdapter(id: string, files: Store): Promise<void>;
}>;

/** Number of files that are remembered. */
const MOST = 1024;

/** Creates an empty cache of checks. */
export function checkedWeights(): CheckedWeights {
  const known = new Map<string, Promise<void>>();
  const check = async (id: string, files: Store, key: string): Promise<void> => {
    const stored = await files.get(key, { offset: 0, length: 0 });
    const name = JSON.stringify([id, key, stored?.size, stored?.revision]);
    const look = known.get(name) ?? checkFinite(files, key);
    known.delete(name);
    known.set(name, look);
    // A failed check is repeated: the disk may have failed.
    look.catch(() => known.delete(name));
    for (const oldest of known.keys()) {
      if (known.size <= MOST) break;
      known.delete(oldest);
    }
    await look;
  };
  return {
    checkModel: async (id, files) => {
      for (const key of await weightKeys(files)) await check(id, files, key);
    },
    checkAdapter: (id, files) => check(id, files, adapterFiles.weights),
  };
}
