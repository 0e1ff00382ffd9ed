/** The syntax tree of a regular expression, and its character sets. */

/** A character set: whether a code point belongs to it. */
export type CharSet = (code: number) => boolean;

/**
 * A node of the tree: a character of a set, a sequence ("all") or alternatives ("any"), a repetition, the start or end
 * of the text, a boundary between a set's characters and others ("edge", as \b), a lookaround (`behind`: how many
 * characters back it starts), or an atomic group, which is never backtracked into.
 */
export type PatternNode =
  | Readonly<{ type: "set"; set: CharSet }>
  | Readonly<{ type: "all" | "any"; of: readonly PatternNode[] }>
  | Readonly<{ type: "repeat"; of: PatternNode; min: number; max: number; lazy: boolean }>
  | Readonly<{ type: "start" | "end" }>
  | Readonly<{ type: "edge"; set: CharSet; negated: boolean }>
  | Readonly<{ type: "look"; of: PatternNode; negated: boolean; behind: number }>
  | Readonly<{ type: "atomic"; of: PatternNode }>;

/** Caches a character set, in pages of 256 code points. */
export function cacheCharSet(has: CharSet): CharSet {
  const pages: (Uint8Array | undefined)[] = [];
  return (code) => {
    const page = pages[code >> 8] ??= Uint8Array.from({ length: 256 }, (_, i) => (has((code & ~255) + i) ? 1 : 0));
    return page[code & 255] === 1;
  };
}

/** Returns how many characters a node matches, if that number is fixed. */
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
