/** A regular expression as a tree, and the sets of characters that it is made of. */

/** Whether a character, by its code point, belongs. */
export type CharSet = (code: number) => boolean;

/**
 * A pattern, read: a character of a set, others in a row or one of them, repeated, the start or end of the text, where
 * a set's stretches begin or end, and what is looked at (behind: so many characters back) or never gone back into.
 */
export type PatternNode =
  | Readonly<{ type: "set"; set: CharSet }>
  | Readonly<{ type: "all" | "any"; of: readonly PatternNode[] }>
  | Readonly<{ type: "repeat"; of: PatternNode; min: number; max: number; lazy: boolean }>
  | Readonly<{ type: "start" | "end" }>
  | Readonly<{ type: "edge"; set: CharSet; negated: boolean }>
  | Readonly<{ type: "look"; of: PatternNode; negated: boolean; behind: number }>
  | Readonly<{ type: "atomic"; of: PatternNode }>;

/** A set that remembers what was asked of it, by stretches of 256 characters. */
export function cacheCharSet(has: CharSet): CharSet {
  const pages: (Uint8Array | undefined)[] = [];
  return (code) => {
    const page = pages[code >> 8] ??= Uint8Array.from({ length: 256 }, (_, i) => (has((code & ~255) + i) ? 1 : 0));
    return page[code & 255] === 1;
  };
}

/** How many characters a node matches, if that number is fixed. */
export function fixedWidth(node: PatternNode): number | undefined {
  switch (node.type) {
    case "set":
      return 1;
    case "start":
    case "end":
    case "edge":
    case "look":
      return 0;
    case "atomic":
      return fixedWidth(node.of);
    case "repeat": {
      const width = fixedWidth(node.of);
      return node.min === node.max && width !== undefined ? width * node.min : undefined;
    }
    case "all":
      return node.of.reduce<number | undefined>((sum, inner) => {
        const width = fixedWidth(inner);
        return sum === undefined || width === undefined ? undefined : sum + width;
      }, 0);
    case "any": {
      const widths = new Set(node.of.map(fixedWidth));
      return widths.size === 1 ? [...widths][0] : undefined;
    }
  }
}
