/** Files that a command writes: all of them, or none. */
import type { Store } from "../../core/types.ts";
import { checkWritable } from "./claim.ts";

/**
 * Lets something write into a folder that can be written to; where it fails, the files that were new go again.
 *
 * @throws AttuneError (`NOT_WRITABLE`) before anything is done, and what `write` throws.
 */
export async function writeWhole<T>(folder: string, store: Store, write: (to: Store) => Promise<T>): Promise<T> {
  await checkWritable(folder);
  const fresh = new Set<string>();
  const noted: Store = {
    ...store,
    put: async (key, bytes, options) => {
      if (!await store.get(key, { offset: 0, length: 0 })) fresh.add(key);
      return await store.put(key, bytes, options);
    },
  };
  try {
    return await write(noted);
  } catch (error) {
    for (const key of fresh) await store.delete(key).catch(() => {});
    throw error;
  }
}
