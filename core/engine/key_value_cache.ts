/** A key-value cache that is written in place: a new token's entries are appended without moving the others. */
import type { Ort, OrtTensor } from "../types.ts";

/** Cached tensors [places, rows, heads, headDim], by name. */
export interface KeyValueCache {
  /** The number of cached places. */
  readonly places: number;
  /** Returns the current tensors, which are valid until the cache changes. */
  feeds(): ReadonlyMap<string, OrtTensor>;
  /** Appends new places. When the capacity is used up it is doubled, which copies everything. */
  append(added: ReadonlyMap<string, OrtTensor>): void;
  /** Continues with these rows, in this order; a row may occur several times. */
  choose(from: Int32Array): void;
}

type Entry = Readonly<{ room: Float32Array; spare?: Float32Array; rows: number; heads: number; headDim: number }>;

/** Creates an empty cache. */
export function createKeyValueCache(lib: Ort): KeyValueCache {
  const entries = new Map<string, Entry>();
  let places = 0;
  return {
    get places() {
      return places;
    },
    feeds: () =>
      new Map(
        [...entries].map(([name, { room, rows, heads, headDim }]) => {
          const dims = [places, rows, heads, headDim];
          return [name, new lib.Tensor("float32", room.subarray(0, places * rows * heads * headDim), dims)];
        }),
      ),
    append: (added) => {
      let count = 0;
      for (const [name, { dims, data }] of added) {
        const [now = 0, rows = 0, heads = 0, headDim = 0] = dims;
        const width = rows * heads * headDim;
        let { room, spare } = entries.get(name) ?? { room: new Float32Array(0) };
        if (room.length < (places + now) * width) {
          const larger = new Float32Array(2 * (places + now) * width);
          larger.set(room.subarray(0, places * width));
          [room, spare] = [larger, undefined];
        }
        room.set(data as Float32Array, places * width);
        entries.set(name, { room, ...(spare && { spare }), rows, heads, headDim });
        count = now;
      }
      places += count;
    },
    choose: (from) => {
      for (const [name, { room, spare, rows, heads, headDim }] of entries) {
        if (from.length === rows && from.every((row, i) => row === i)) continue;
        const width = heads * headDim;
        const size = places * from.length * width;
        const to = spare && spare.length >= size ? spare : new Float32Array(Math.max(room.length, size));
        for (let place = 0; place < places; place++) {
          for (let i = 0; i < from.length; i++) {
            const start = (place * rows + (from[i] ?? 0)) * width;
            to.set(room.subarray(start, start + width), (place * from.length + i) * width);
          }
        }
        entries.set(name, { room: to, spare: room, rows: from.length, heads, headDim });
      }
    },
  };
}
