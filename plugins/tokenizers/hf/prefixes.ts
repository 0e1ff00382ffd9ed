/** A trie: which of many strings occur at a position of a text. */

/** A set of strings, each with a number. */
export type Prefixes = Readonly<{
  /** Calls `each` for every string at a position, shortest first, with its end. */
  at(text: string, place: number, each: (end: number, value: number) => void): void;
  /** Returns the longest string at a position: twice its end in the text, or -1, and its number. */
  longest(text: string, place: number): readonly [end: number, value: number] | undefined;
}>;

/** Builds a trie over UTF-16 units, with all edges in one hash table: from node and unit to the next node. */
export function prefixesOf(entries: Iterable<readonly [text: string, value: number]>): Prefixes {
  let size = 1 << 10;
  let keys = new Float64Array(size).fill(-1);
  let nodes = new Int32Array(size);
  let count = 0;
  const values: number[] = [-1];
  const slotOf = (table: Float64Array, key: number): number => {
    const mask = table.length - 1;
    let slot = (Math.imul(key % 0x7fffffff, 0x9e3779b1) >>> 7) & mask;
    while (table[slot] !== -1 && table[slot] !== key) slot = (slot + 1) & mask;
    return slot;
  };
  const grow = (): void => {
    size *= 2;
    const [oldKeys, oldNodes] = [keys, nodes];
    keys = new Float64Array(size).fill(-1);
    nodes = new Int32Array(size);
    oldKeys.forEach((key, i) => {
      if (key === -1) return;
      const slot = slotOf(keys, key);
      keys[slot] = key;
      nodes[slot] = oldNodes[i] as number;
    });
  };
  const follow = (node: number, unit: number): number => {
    const slot = slotOf(keys, node * 65536 + unit);
    return keys[slot] === -1 ? -1 : nodes[slot] as number;
  };
  for (const [text, value] of entries) {
    let node = 0;
    for (let i = 0; i < text.length; i++) {
      const key = node * 65536 + text.charCodeAt(i);
      const slot = slotOf(keys, key);
      if (keys[slot] === key) {
        node = nodes[slot] as number;
        continue;
      }
      keys[slot] = key;
      node = nodes[slot] = values.length;
      values.push(-1);
      if (++count * 2 > size) grow();
    }
    values[node] = value;
  }
  const at: Prefixes["at"] = (text, place, each) => {
    let node = 0;
    for (let i = place; i < text.length;) {
      node = follow(node, text.charCodeAt(i++));
      if (node < 0) return;
      const value = values[node] as number;
      if (value >= 0) each(i, value);
    }
  };
  return {
    at,
    longest: (text, place) => {
      let best: readonly [number, number] | undefined;
      at(text, place, (end, value) => (best = [end, value]));
      return best;
    },
  };
}
