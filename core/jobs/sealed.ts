/**
 * Stored values of jobs, each with a checksum: a value damaged by the disk is detected, moved aside and reported, and
 * nothing else is lost.
 */
import { AttuneError } from "../base/errors.ts";
import { checksum } from "../base/checksum.ts";
import { keysBelow } from "../files/store_key.ts";
import type { Store, StoredObject } from "../types.ts";

/** Prefix of the keys of damaged values. */
const DAMAGED = "damaged/";

/** Values with checksums in a store. */
export interface Sealed {
  /** Reads a value; undefined if there is none, or if it is damaged, in which case it is moved aside. */
  read<T>(key: string): Promise<Readonly<{ value: T; revision: string }> | undefined>;
  /** Like `read`, but a value that the disk cannot read also counts as damaged and is undefined. */
  tryRead<T>(key: string): Promise<Readonly<{ value: T; revision: string }> | undefined>;
  /**
   * Like `tryRead`, but faster for many values: a power failure may still undo the value, so nothing must depend on it.
   */
  glance<T>(key: string): Promise<Readonly<{ value: T; revision: string }> | undefined>;
  write(key: string, value: unknown, options?: { readonly if?: string | null }): Promise<StoredObject | "conflict">;
  /** Finds values that other processes have moved aside. */
  look(): Promise<void>;
  /** Returns the keys of known damaged values. */
  damaged(): readonly string[];
}

/** Number of values that are remembered as durable. */
const REMEMBERED = 4096;

const HEAD = /^\{"hash":"([0-9a-f]{16})","value":/;

/** Returns a value as JSON with its checksum. */
export function seal(value: unknown): Uint8Array<ArrayBuffer> {
  const text = JSON.stringify(value);
  const encoder = new TextEncoder();
  return encoder.encode(`{"hash":"${checksum(encoder.encode(text))}","value":${text}}`);
}

/** Returns the value of sealed bytes; undefined if they do not match their checksum. */
export function unseal<T>(bytes: Uint8Array): Readonly<{ value: T }> | undefined {
  const hash = HEAD.exec(new TextDecoder().decode(bytes.subarray(0, 64)))?.[1];
  if (hash === undefined || bytes.at(-1) !== 0x7d) return undefined;
  const content = bytes.subarray(`{"hash":"${hash}","value":`.length, -1);
  return checksum(content) === hash ? { value: JSON.parse(new TextDecoder().decode(content)) } : undefined;
}

/** Moves a damaged object below `damaged/`, with its bytes. */
export async function setAside(
  store: Store,
  { key, bytes, revision }: StoredObject & { readonly bytes: Uint8Array },
): Promise<void> {
  await store.put(DAMAGED + key, bytes);
  await store.delete(key, { if: revision });
}

/** Returns the sealed values of a store. `tell` is called once for each damaged value. */
export function sealStore(store: Store, tell: (text: string) => void = () => {}): Sealed {
  const damagedKeys = new Set<string>();
  let aside: readonly string[] = [];
  // Damaged values that could not be moved aside, such as on a full disk.
  const inPlace = new Set<string>();
  const lasting = new Map<string, string>();
  const lasts = (key: string, revision: string): void => {
    if (!store.sync) return;
    if (lasting.size >= REMEMBERED) lasting.clear();
    lasting.set(key, revision);
  };
  const damaged = (key: string): void => {
    if (damagedKeys.has(key)) return;
    damagedKeys.add(key);
    tell(`${key} is damaged; everything else continues (what can be moved is kept as ${DAMAGED}${key})`);
  };
  const read = async <T>(
    key: string,
    glance = false,
  ): Promise<Readonly<{ value: T; revision: string }> | undefined> => {
    const object = await store.get(key);
    if (!object) return undefined;
    const opened = unseal<T>(object.bytes);
    if (opened) {
      inPlace.delete(key);
      // Answers depend on this value, so a power failure must not undo a write of another process after they are given.
      if (!glance && lasting.get(key) !== object.revision) {
        await store.sync?.(key);
        lasts(key, object.revision);
      }
      return { value: opened.value, revision: object.revision };
    }
    damaged(key);
    await setAside(store, object).then(() => inPlace.delete(key), () => inPlace.add(key));
    if (!inPlace.has(key) && !aside.includes(key)) aside = [...aside, key];
    return undefined;
  };
  const noteDamage = (key: string) => (error: unknown): undefined => {
    if (!isUnreadable(error)) throw error;
    damaged(key);
    inPlace.add(key);
  };
  return {
    read: (key) => read(key),
    tryRead: <T>(key: string) => read<T>(key).catch(noteDamage(key)),
    glance: <T>(key: string) => read<T>(key, true).catch(noteDamage(key)),
    write: async (key, value, options) => {
      const done = await store.put(key, seal(value), options);
      if (done !== "conflict") lasts(key, done.revision);
      return done;
    },
    look: async () => {
      const all: string[] = [];
      for await (const key of keysBelow(store, DAMAGED)) all.push(key.slice(DAMAGED.length));
      aside = all;
      all.forEach(damaged);
    },
    damaged: () => [...new Set([...aside, ...inPlace])].sort(),
  };
}

/** Whether a disk cannot read one file, as opposed to a store that cannot be reached. */
export function isUnreadable(error: unknown): boolean {
  const { cause } = error instanceof AttuneError && error.code === "STORE" ? error : {};
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  return ["EACCES", "EIO", "EISDIR", "ELOOP", "EPERM", "EUCLEAN"].includes(code);
}
