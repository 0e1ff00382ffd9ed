/**
 * A metric's states of units, each distinct one once, so that any number of each makes one: what resampling needs of a metric
 * that is no mean. However many units there are, the states of some thousand are kept at most.
 * @module
 */
import { createRandom } from "../math/random.ts";
import type { Metric, Named } from "../types.ts";

/** States of units. */
export interface UnitStates {
  /** Adds the state of the next unit. */
  add(state: unknown): void;
  /** How many distinct states are kept. */
  readonly size: number;
  /**
   * The metric's values where each unit is there so many times. Of units that are a sample of all, what these counts change of
   * the sample's values is put on `whole`, those of all units, by as much less as more units vary less
   * (the m out of n bootstrap: Bickel, Götze & van Zwet 1997); not where `clustered`: of a cluster's rows then fewer speak for it,
   * and intervals are the wider.
   */
  compute(counts: ArrayLike<number>, whole: Named<number | null>, clustered: boolean): Named<number | null>;
}

/** Distinct states that are kept: about 4 MB of scores. Where units have more, those of a random sample of the units. */
export const STATES = 8192;

/** Collects states. `most`: distinct ones that are kept. */
export function collectStates(metric: Metric, most: number = STATES): UnitStates {
  let kinds = new Map<string, number>();
  let states: unknown[] = [];
  /** Units that are kept, in order, and the kind of each. */
  let [units, kindOf]: [number[], number[]] = [[], []];
  let [count, share] = [0, 1];
  const coin = createRandom(42).fork("units");
  /** Half of the units that are kept go: which ones depends on no order. */
  const thin = (): void => {
    share /= 2;
    const before = { units, kindOf, states, names: [...kinds.keys()] };
    [kinds, states, units, kindOf] = [new Map(), [], [], []];
    before.units.forEach((unit, i) => {
      if (coin.uniform(unit) >= share) return;
      const kind = before.kindOf[i] ?? 0;
      put(unit, before.names[kind] ?? "", before.states[kind]);
    });
  };
  const put = (unit: number, name: string, state: unknown): void => {
    const kind = kinds.get(name) ?? kinds.size;
    if (kind === kinds.size) {
      kinds.set(name, kind);
      states.push(state);
    }
    units.push(unit);
    kindOf.push(kind);
  };
  let merged: ((counts: Uint32Array) => unknown) | undefined;
  const computed = (countOf: (unit: number) => number): Named<number | null> => {
    const found = new Uint32Array(states.length);
    units.forEach((unit, i) => {
      const kind = kindOf[i] ?? 0;
      found[kind] = (found[kind] ?? 0) + countOf(unit);
    });
    return metric.compute((merged ??= countedStates(metric, states))(found));
  };
  let sample: Named<number | null> | undefined;
  return {
    get size() {
      return states.length;
    },
    add: (state) => {
      const unit = count++;
      if (share < 1 && coin.uniform(unit) >= share) return;
      put(unit, JSON.stringify(state), state);
      while (states.length > most) thin();
    },
    compute: (counts, whole, clustered) => {
      const values = computed((unit) => counts[unit] ?? 0);
      if (share === 1) return values;
      const middle = sample ??= computed(() => 1);
      const scale = clustered ? 1 : Math.sqrt(units.length / count);
      return Object.fromEntries(
        Object.entries(values).map(([key, value]) => {
          const [own, all] = [middle[key] ?? null, whole[key] ?? null];
          return [key, value === null || own === null || all === null ? null : all + scale * (value - own)];
        }),
      );
    },
  };
}

/** States of which each is there so many times, as one: n of a kind are merged from states of 1, 2, 4, ... of them. */
function countedStates(metric: Metric, states: readonly unknown[]): (counts: Uint32Array) => unknown {
  const { gather } = metric;
  if (gather) return (counts) => gather(states, counts);
  const powers: unknown[][] = states.map((state) => [state]);
  const power = (kind: number, bit: number): unknown => {
    const made = powers[kind] ?? [];
    while (made.length <= bit) made.push(metric.merge(made.at(-1), made.at(-1)));
    return made[bit];
  };
  return (counts) => {
    const parts: unknown[] = [];
    counts.forEach((count, kind) => {
      for (let bit = 0; count >> bit > 0; bit++) if ((count >> bit) & 1) parts.push(power(kind, bit));
    });
    return parts.length === 0 ? metric.init() : mergeAll(metric, parts);
  };
}

/** Merges in pairs, so that states that grow are not copied for each part. */
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
