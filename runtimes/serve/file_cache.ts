/** A cache of files that are read in many parts, so that each is requested once. */
import type { Store } from "../../core/types.ts";

/** Bytes above which files are read part by part. */
const WHOLE = 16 * 2 ** 20;

/** Returns a store that caches files while a model is opened; `release` drops them. Local files are not cached. */
export function cacheFiles(files: Store): Readonly<{ store: Store; release(): void }> {
  const cached = new Map<string, ReturnType<Store["get"]>>();
  const wholeOf = async (key: string): ReturnType<Store["get"]> => {
    const known = cached.get(key);
    if (known) return await known;
    const stored = await files.get(key, { offset: 0, length: 0 });
    if (!stored || stored.size > WHOLE) return undefined;
    const whole = cached.get(key) ?? files.get(key);
    cached.set(key, whole);
    return await whole;
  };
  const store: Store = {
    ...files,
    get: async (key, range) => {
      const whole = range && range.length > 0 ? await wholeOf(key) : undefined;
      if (!whole || !range) return await files.get(key, range);
      return { ...whole, bytes: whole.bytes.subarray(range.offset, range.offset + range.length) };
    },
  };
  return { store: files.locate ? files : store, release: () => cached.clear() };
}
