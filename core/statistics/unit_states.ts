/** Merges a metric's states of units, each counted several times, to resample metrics that are not means. */
import type { Metric } from "../types.ts";

/** Distinct states of units. */
export type UnitStates = Readonly<{
  states: readonly unknown[];
  /** Index in `states` of each unit's state. */
  kindOf: Int32Array;
}>;

/** Returns the distinct states, compared as JSON. */
export function distinctStates(all: Iterable<unknown>): UnitStates {
  const kinds = new Map<string, number>();
  const states: unknown[] = [];
  const kindOf = Array.from(all, (state) => {
    const name = JSON.stringify(state);
    const kind = kinds.get(name) ?? states.push(state) - 1;
    kinds.set(name, kind);
    return kind;
  });
  return { states, kindOf: Int32Array.from(kindOf) };
}

/** Returns a function that merges the states of all units, with each unit counted `counts` times. */
export function countedUnits(metric: Metric, { states, kindOf }: UnitStates): (counts: ArrayLike<number>) => unknown {
  const merged = countedStates(metric, states);
  return (counts) => {
    const ranks = new Uint32Array(states.length);
    kindOf.forEach((kind, unit) => ranks[kind] = (ranks[kind] ?? 0) + (counts[unit] ?? 0));
    return merged(ranks);
  };
}

/** Returns a function that merges counted states: n of a kind are merged from states of 1, 2, 4, ... of that kind. */
function countedStates(metric: Metric, states: readonly unknown[]): (counts: Uint32Array) => unknown {
  const { gather } = metric;
  if (gather) return (counts) => gather(states, counts);
  const powers: unknown[][] = states.map((state) => [state]);
  const power = (kind: number, bit: number): unknown => {
    const powersOf = powers[kind] ?? [];
    while (powersOf.length <= bit) powersOf.push(metric.merge(powersOf.at(-1), powersOf.at(-1)));
    return powersOf[bit];
  };
  return (counts) => {
    const parts: unknown[] = [];
    counts.forEach((count, kind) => {
      for (let bit = 0; count >> bit > 0; bit++) if ((count >> bit) & 1) parts.push(power(kind, bit));
    });
    return parts.length === 0 ? metric.init() : mergeAll(metric, parts);
  };
}

/** Merges states in pairs, so that growing states are not copied for each part. */
function mergeAll(metric: Metric, parts: readonly unknown[]): unknown {
  let level = parts;
  while (level.length > 1) {
    const next: unknown[] = [];
    for (let i = 0; i < level.length; i += 2) {
      next.push(i + 1 < level.length ? metric.merge(level[i], level[i + 1]) : level[i]);
    }
    level = next;
  }
  return level[0];
}
