/**
 * A random sample of any number of units: rows, or clusters of rows.
 */
import { hashOf } from "../data/text_hash.ts";
import { createRandom } from "../math/random.ts";

/** Identifier of a unit: a row's number, or the name of a cluster of rows. */
export type UnitName = string | number;

/** Values of a sample of units. The sample depends only on the units' names, not on their order. */
export type UnitSample<T> = Readonly<{
  /** The sampled units, in order of arrival. */
  units: ReadonlyMap<UnitName, T>;
  /** Returns the share of all units that are sampled. */
  share(): number;
  /** Returns the value of a unit, created if it is new; undefined if the unit is not in the sample. */
  of(name: UnitName, make: () => T): T | undefined;
  /** Drops about half of the units. */
  thin(): void;
}>;

const coin = createRandom(42).fork("units");

/** Whether a unit is in the sample of a share. Samples are nested: larger shares contain smaller ones. */
export function isSampled(name: UnitName, share: number): boolean {
  return share >= 1 || coin.uniform(typeof name === "number" && name >= 0 ? name : hashOf(String(name))[0]) < share;
}

/** Creates an empty sample of at most `most` units. */
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
