/** Addresses of encoded samples on disk: four bytes for each place up to the last. */

/** A map from places to addresses. */
export type Addresses = Readonly<{
  count(): number;
  has(place: number): boolean;
  get(place: number): number | undefined;
  set(place: number, address: number): void;
  delete(place: number): void;
  clear(): void;
  /** Returns some of the places that have an address, spread over all. */
  some(count: number): readonly number[];
}>;

/** Creates an empty map of addresses. */
export function createAddresses(): Addresses {
  // Each word is the address plus one; 0 means no address.
  let words = new Uint32Array(1024);
  let count = 0;
  return {
    count: () => count,
    has: (place) => (words[place] ?? 0) > 0,
    get: (place) => words[place] ? (words[place] ?? 0) - 1 : undefined,
    set: (place, address) => {
      if (place >= words.length) {
        const longer = new Uint32Array(Math.max(place + 1, 2 * words.length));
        longer.set(words);
        words = longer;
      }
      if (!words[place]) count++;
      words[place] = address + 1;
    },
    delete: (place) => {
      if (!words[place]) return;
      words[place] = 0;
      count--;
    },
    clear: () => {
      words.fill(0);
      count = 0;
    },
    some: (count) => {
      const step = Math.max(1, Math.floor(words.length / count / 4));
      const places: number[] = [];
      for (let from = 0; from < words.length && places.length < count; from += step) {
        const place = words.subarray(from, from + step).findIndex((word) => word > 0);
        if (place >= 0) places.push(from + place);
      }
      return places;
    },
  };
}
