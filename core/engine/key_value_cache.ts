/** Keys and values of what came before, written in place: one more token adds its own, and nothing else moves. */
import type { Ort, OrtTensor } from "../types.ts";

/** Kept tensors [places, rows, heads, headDim] by name. */
export interface KeyValueCache {
  /** How many places are kept. */
  readonly places: number;
  /** The tensors as they are now; they stay good until the cache changes. */
  feeds(): ReadonlyMap<string, OrtTensor>;
  /** Writes what is new behind what is kept. Every few times the room is doubled, which moves all. */
  append(added: ReadonlyMap<string, OrtTensor>): void;
  /** Goes on with these rows, in this order; one may come several times. */
  choose(from: Int32Array): void;
}

type Entry = Readonly<{ room: Float32Array; spare?: Float32Array; rows: number; heads: number; headDim: number }>;

/** A cache that keeps nothing yet. */
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
