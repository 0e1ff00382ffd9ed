/** Weights that were looked at, so that requests which name them again cost no second look. */
import { checkFinite } from "../../core/files/finite_weights.ts";
import { weightKeys } from "../../core/files/gguf_folder.ts";
import type { Store } from "../../core/types.ts";
import { adapterFiles } from "../../formats/peft/files.ts";

/** Checks weights once for as long as the files do not change. `id` says whose they are, as in `ModelFiles`. */
export type SoundWeights = Readonly<{
  /** Looks at all files of a model. Throws AttuneError if one has what cannot be computed with. */
  checkModel(id: string, files: Store): Promise<void>;
  /** The same of one adapter's file. */
  checkAdapter(id: string, files: Store): Promise<void>;
}>;

/** Files that are remembered. */
const MOST = 1024;

/** Nothing is known yet. */
export function soundWeights(): SoundWeights {
  const known = new Map<string, Promise<void>>();
  const check = async (id: string, files: Store, key: string): Promise<void> => {
    const stored = await files.get(key, { offset: 0, length: 0 });
    const name = JSON.stringify([id, key, stored?.size, stored?.revision]);
    const look = known.get(name) ?? checkFinite(files, key);
    known.delete(name);
    known.set(name, look);
    // What failed is looked at again: it may have been the disk.
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
