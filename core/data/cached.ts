/** Caching of results that take time to compute, as JSON or bytes. */
import { joinBytes, jsonBytes } from "../base/bytes.ts";
import { sha256 } from "../base/sha256.ts";
import type { Json, Store } from "../types.ts";

/**
 * Returns the result of `find`, or its cached result for the same `parts`, which must name everything it depends on.
 * A failing cache or a damaged entry counts as a miss; results that JSON cannot represent are not cached.
 */
export async function cachedJson<T>(
  cache: Store | undefined,
  folder: string,
  parts: readonly unknown[],
  find: () => Promise<T>,
): Promise<T> {
  if (!cache) return await find();
  const key = `${folder}/${await sha256(JSON.stringify(parts))}.json`;
  const known = await read(cache, key);
  if (known) return known.value as T;
  const value = await find();
  if (isJson(value)) {
    const text = JSON.stringify(value);
    await cache.put(key, jsonBytes({ sha256: await sha256(text), text })).catch(() => {});
  }
  return value;
}

/** The length of a SHA-256 in hexadecimal, in bytes. */
const DIGEST = 64;

/** Returns the bytes that were cached for the same parts; undefined if there are none or they are damaged. */
export async function keptBytes(
  cache: Store | undefined,
  folder: string,
  parts: readonly unknown[],
): Promise<Uint8Array | undefined> {
  const key = `${folder}/${await sha256(JSON.stringify(parts))}`;
  const bytes = (await cache?.get(key).catch(() => undefined))?.bytes;
  if (!bytes || bytes.length < DIGEST) return undefined;
  const body = bytes.subarray(0, bytes.length - DIGEST);
  return new TextDecoder().decode(bytes.subarray(body.length)) === await sha256(body) ? body : undefined;
}

/** Caches bytes for parts that name everything they depend on. Failures, such as a full disk, are ignored. */
export async function keepBytes(
  cache: Store | undefined,
  folder: string,
  parts: readonly unknown[],
  bytes: Uint8Array,
): Promise<void> {
  if (!cache) return;
  const key = `${folder}/${await sha256(JSON.stringify(parts))}`;
  await cache.put(key, joinBytes([bytes, new TextEncoder().encode(await sha256(bytes))])).catch(() => {});
}

async function read(cache: Store, key: string): Promise<Readonly<{ value: Json }> | undefined> {
  try {
    const file = await cache.get(key);
    const { sha256: digest, text } = JSON.parse(new TextDecoder().decode(file?.bytes)) as Readonly<
      Record<string, string>
    >;
    return text !== undefined && digest === await sha256(text) ? { value: JSON.parse(text) } : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a value survives JSON unchanged; fields that are undefined may get lost. */
export function isJson(value: unknown): boolean {
  if (value === null || typeof value === "string" || typeof value === "boolean") return true;
  if (typeof value === "number") return Number.isFinite(value) && !Object.is(value, -0);
  if (Array.isArray(value)) return value.every(isJson);
  if (typeof value !== "object") return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  return Object.values(value).every((part) => part === undefined || isJson(part));
}
