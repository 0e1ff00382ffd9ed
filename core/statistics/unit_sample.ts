/**
 * A random sample of units, of which there may be any number: rows by their number, or rows that belong together by a name.
 */
import { hashOf } from "../data/text_hash.ts";
import { createRandom } from "../math/random.ts";

/** What a unit is known by: a row's number, or the name of rows that belong together. */
export type UnitName = string | number;

/** What is kept of a sample of units. Which units these are depends on their names alone, whatever their order. */
export type UnitSample<T> = Readonly<{
  /** The units that are kept, in the order in which they came. */
  units: ReadonlyMap<UnitName, T>;
  /** The share of all units that these are. */
  share(): number;
  /** What is kept of a unit, made where it is new; undefined if the unit is not among them. */
  of(name: UnitName, make: () => T): T | undefined;
  /** About half of the units go. */
  thin(): void;
}>;

const coin = createRandom(42).fork("units");

/** Whether a unit is in a sample of such a share: what is in a smaller one is in every larger one. */
export function isSampled(name: UnitName, share: number): boolean {
  return share >= 1 || coin.uniform(typeof name === "number" && name >= 0 ? name : hashOf(String(name))[0]) < share;
}

/** An empty sample of at most so many units. */
export function createUnitSample<T extends object>(most: number): UnitSample<T> {
  const units = new Map<UnitName, T>();
  let share = 1;
  const thin = (): void => {
    share /= 2;
    for (const name of units.keys()) if (!isSampled(name, share)) units.delete(name);
  };
  return {
    units,
    share: () => share,
    of: (name, make) => {
      const known = units.get(name);
      if (known || !isSampled(name, share)) return known;
      const unit = make();
      units.set(name, unit);
      while (units.size > most) thin();
      return units.get(name);
    },
    thin,
  };
}
