/** Processing of more hashes than fit in memory, part by part: a part has the hashes that end in the same bits. */
import type { Hash } from "./text_hash.ts";

/** The hashes whose lowest `bits` bits are `value`; `isLast`: this part cannot be divided further. */
export type HashPart = Readonly<{ bits: number; value: number; isLast: boolean }>;

/**
 * Processes all hashes in as few parts as possible: if a part is too large, `look` returns false and is called for each
 * of its halves.
 *
 * @example
 * ```ts
 * import { hashOf, inParts, isInPart } from "attune/kit";
 * const sizes: number[] = [];
 * await inParts(async (part) => {
 *   const own = ["a", "b", "c", "d"].map(hashOf).filter((hash) => isInPart(part, hash));
 *   if (own.length <= 2) sizes.push(own.length);
 *   return own.length <= 2;
 * });
 * console.assert(sizes.reduce((a, b) => a + b) === 4);
 * ```
 */
export async function inParts(look: (part: HashPart) => Promise<boolean>, bits = 0, value = 0): Promise<void> {
  if (await look({ bits, value, isLast: bits >= 31 })) return;
  await inParts(look, bits + 1, value);
  await inParts(look, bits + 1, value + 2 ** bits);
}

/**
 * Whether a hash is in a part.
 *
 * @example
 * ```ts
 * import { hashOf, isInPart } from "attune/kit";
 * console.assert(isInPart({ bits: 0, value: 0, isLast: false }, hashOf("any")));
 * ```
 */
export function isInPart({ bits, value }: HashPart, [low]: Hash): boolean {
  return low % 2 ** bits === value;
}
