/** Output files of a command: all of them are written, or none. */
import type { Store } from "../../core/types.ts";
import { checkWritable } from "./claim.ts";

/**
 * Runs `write` over a folder that is checked to be writable; if it fails, newly written files are removed again.
 *
 * @throws AttuneError (`NOT_WRITABLE`) before anything is written, and the errors of `write`.
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
