/**
 * Amounts of memory as people write them, such as "2GB".
 * @module
 */

import type { Json, Named } from "./types.ts";

const units: Readonly<Record<string, number>> = {
  "": 1,
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** The allowed amounts of memory, in words for error messages. */
export const BYTE_COUNT = 'bytes, as a number or as "2GB", "2GiB" or "512MiB"';

/** The allowed amounts of memory as JSON Schema. */
export const byteCountSchema: Named<Json> = {
  anyOf: [
    { type: "number", minimum: 0.5, maximum: Number.MAX_SAFE_INTEGER },
    { type: "string", pattern: "^(?=.*[1-9])[0-9]+(\\.[0-9]+)? ?(B|[kK]B|KiB|[MGT]i?B)?$" },
  ],
};

/**
 * Parses an amount of bytes, a number or a text with a unit ("2GB": 2·10⁹, "2GiB": 2·2³⁰). Undefined if invalid or ≤ 0.
 *
 * @example
 * ```ts
 * import { byteCount } from "attune";
 * console.assert(byteCount("512MiB") === 512 * 2 ** 20);
 * ```
 */
export function byteCount(value: unknown): number | undefined {
  const [, digits, unit = ""] = /^(\d+(?:\.\d+)?) ?([kKMGT]i?B|B)?$/.exec(String(value)) ?? [];
  const factor = units[unit] ?? units[unit.replace("K", "k")];
  const bytes = Math.round(Number(digits) * (factor ?? NaN));
  return (typeof value === "number" || typeof value === "string") && bytes > 0 && Number.isSafeInteger(bytes)
    ? bytes
    : undefined;
}
