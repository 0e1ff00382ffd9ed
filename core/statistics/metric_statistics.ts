/**
 * What intervals and comparisons need of a metric over any number of rows: its values, exactly, and of a sample of the units
 * that are drawn, rows or rows that belong together, sums of what are means and states of the rest.
 */
import { sharesOf } from "./figures.ts";
import { createRowFlags, type RowFlags } from "./row_flags.ts";
import { createUnitSample, isSampled, type UnitName } from "./unit_sample.ts";
import { countedUnits, distinctStates } from "./unit_states.ts";
import type { Metric, MetricInputs, Named } from "../types.ts";

/** A metric over rows. */
export type MetricStatistics = Readonly<{
  metric: Metric;
  rows: number;
  /** Whether some units are of several rows. */
  clustered: boolean;
  /** The values over all rows, also those within figures, by path. */
  values: Named<number | null>;
  /** Of values that are shares of rows: how many have it, and of how many. */
  shares: Named<readonly [right: number, of: number]>;
  /** Of values that are means over rows which are all right or wrong: which are right. */
  right: Named<RowFlags>;
  /** The share of all units that are kept. */
  share: number;
  /** Those that are kept, or fewer. */
  units(share?: number): KeptUnits;
}>;

/** A sample of units. */
export type KeptUnits = Readonly<{
  share: number;
  names: readonly UnitName[];
  /** Of values that are means each unit's sum, and of how many rows. */
  means: Named<UnitSums>;
  /**
   * Values where each unit is there so many times. Of a sample, what these counts change of the sample's values is put on those
   * of all units, by as much less as more units vary less (the m out of n bootstrap: Bickel, Götze & van Zwet 1997).
   */
  compute(counts: ArrayLike<number>): Named<number | null>;
}>;

/** A number of each unit: the sum of its rows' numbers, and how many rows have one. */
export type UnitSums = Readonly<{ sums: Float64Array; counts: Float64Array }>;

/** Units that are kept at most; of states some MB as JSON, and distinct ones, each of which costs every resample. */
export const UNITS = 32_768;
const [CHARACTERS, DISTINCT, LEAST] = [2 ** 23, 8192, 64];

type Unit = { state: unknown; characters: number; sums: number[]; counts: number[] };
type Example = MetricInputs[keyof MetricInputs];
/** One value over all rows: the sum of their numbers, how many have one, whether all are 0 or 1, and of which rows, while every row has one. */
type Key = { at: number; sum: number; count: number; binary: boolean; right: RowFlags | undefined };

/** Collects the statistics of a metric. */
export type MetricCollector = Readonly<{
  /** A row, of which there may be several examples, in its unit. */
  add(unit: UnitName, row: number, examples: readonly Example[]): void;
  /** The metric's state over all rows. */
  state(): unknown;
  end(): MetricStatistics;
}>;

/** An empty collector. `most`: units that are kept. */
export function collectMetric(metric: Metric, most: number = UNITS): MetricCollector {
  const sample = createUnitSample<Unit>(most);
  const keys = new Map<string, Key>();
  let [rows, characters, clustered] = [0, 0, false];
  let total = metric.init();
  const { alone = metric, greaterIsBetter } = metric;
  const one = metric.percent ? 100 : 1;
  const fold = (state: unknown, examples: readonly Example[]): unknown =>
    examples.reduce((unitState: unknown, example) => metric.update(unitState, example), state);
  const charactersKept = (): number => [...sample.units.values()].reduce((sum, unit) => sum + unit.characters, 0);
  const addState = (unit: Unit, state: unknown, examples: readonly Example[]): void => {
    // A state may be changed in place by what it is updated with: none is in two places.
    if (unit.state === undefined) unit.state = state;
    else {
      unit.state = fold(unit.state, examples);
      clustered = true;
    }
    const more = JSON.stringify(state).length;
    unit.characters += more;
    characters += more;
    while (characters > CHARACTERS && sample.units.size > LEAST) {
      sample.thin();
      characters = charactersKept();
    }
  };
  return {
    add: (name, row, examples) => {
      rows++;
      total = fold(total, examples);
      const state = fold(metric.init(), examples);
      const values = Object.entries(alone.compute(state));
      const share = sample.share();
      const unit = sample.of(name, () => ({ state: undefined, characters: 0, sums: [], counts: [] }));
      if (sample.share() < share) characters = charactersKept();
      for (const [key, value] of values) {
        if (value === null || Number.isNaN(value)) continue;
        const entry = keys.get(key) ??
          { at: keys.size, sum: 0, count: 0, binary: greaterIsBetter, right: createRowFlags() };
        keys.set(key, entry);
        addValue(entry, value, { row, rows, one, unit });
      }
      if (unit) addState(unit, state, examples);
    },
    state: () => total,
    end: () => {
      const values = metric.compute(total);
      const isOther = meanless(metric, sample.units);
      const means = [...keys].filter(([name, key]) =>
        isMean(key, values[name] ?? null) && !isOther(name, key) &&
        // What is said of several groups at once is no mean, though it may look like one: that of a group some rows lack.
        !(metric.figures && key.count === rows)
      );
      const shares = means.filter(([, { binary }]) => binary).map((
        [name, { sum, count }],
      ) => [name, [sum / one, count]]);
      const flags = means.flatMap(([name, { right, count }]) => (right && count === rows ? [[name, right]] : []));
      const units = drawable(metric, sample.units, values, means);
      // A few states are enough to say how a value varies.
      let share = sample.share();
      while (units(share).states > DISTINCT) share /= 2;
      return {
        metric,
        rows,
        clustered,
        values,
        // What a metric says of its shares counts, also where it looks like a mean of all rows: one of none.
        shares: { ...Object.fromEntries(shares), ...sharesOf(metric, total) },
        right: Object.fromEntries(flags),
        share,
        units: (most = share) => units(Math.min(most, share)),
      };
    },
  };
}

/** Counts a row's number, of so many rows with this one; `one`: that of a row that is right. */
function addValue(
  key: Key,
  value: number,
  { row, rows, one, unit }: Readonly<{ row: number; rows: number; one: number; unit: Unit | undefined }>,
): void {
  key.sum += value;
  key.count++;
  if (value !== 0 && value !== one) key.binary = false;
  const isWhole = row >= 0 && key.binary && key.count === rows;
  if (!isWhole || key.right?.add(row, value === one) === false) key.right = undefined;
  if (!unit) return;
  unit.sums[key.at] = (unit.sums[key.at] ?? 0) + value;
  unit.counts[key.at] = (unit.counts[key.at] ?? 0) + 1;
}

/** Whether a value is the mean of the numbers of the rows that have one. */
function isMean({ sum, count }: Key, value: number | null): boolean {
  return value !== null && count > 0 && Math.abs(sum / count - value) <= 1e-9 * Math.max(1, Math.abs(value));
}

/** Tells what is a mean by chance alone: over other rows it is none. */
function meanless(metric: Metric, byName: ReadonlyMap<UnitName, Unit>): (name: string, key: Key) => boolean {
  const units = [...byName.values()];
  const counts = units.map((_, i) => i % 3);
  const values = (metric.alone ?? metric).compute(
    countedUnits(metric, distinctStates(units.map(({ state }) => state)))(counts),
  );
  return (name, key) => {
    const total = (of: (unit: Unit) => number | undefined): number =>
      units.reduce((sum, unit, i) => sum + (counts[i] ?? 0) * (of(unit) ?? 0), 0);
    const totals = { ...key, sum: total(({ sums }) => sums[key.at]), count: total(({ counts }) => counts[key.at]) };
    return totals.count > 0 && !isMean(totals, values[name] ?? null);
  };
}

/** Samples of units to draw from; `states`: how many distinct ones these have. */
function drawable(
  metric: Metric,
  byName: ReadonlyMap<UnitName, Unit>,
  figures: Named<number | null>,
  means: readonly (readonly [string, Key])[],
): (share: number) => KeptUnits & Readonly<{ states: number }> {
  const onlyMeans = means.length === Object.keys(figures).length;
  return (share) => {
    const units = [...byName].filter(([name]) => isSampled(name, share));
    const sumsOf = ({ at }: Key): UnitSums => ({
      sums: Float64Array.from(units, ([, { sums }]) => sums[at] ?? 0),
      counts: Float64Array.from(units, ([, { counts }]) => counts[at] ?? 0),
    });
    const unitSums = means.map(([name, key]): [string, UnitSums] => [name, sumsOf(key)]);
    const states = distinctStates(onlyMeans ? [] : units.map(([, { state }]) => state));
    const merged = onlyMeans ? undefined : countedUnits(metric, states);
    const computed = (counts: ArrayLike<number>): Named<number | null> => ({
      ...(merged ? metric.compute(merged(counts)) : {}),
      ...Object.fromEntries(unitSums.map(([name, sums]) => [name, meanOf(sums, counts)])),
    });
    let middle: Named<number | null> | undefined;
    const scale = Math.sqrt(share);
    const scaled = (key: string, value: number | null): number | null => {
      const [center, all] = [middle?.[key] ?? null, figures[key] ?? null];
      return value === null || center === null || all === null ? null : all + scale * (value - center);
    };
    return {
      share,
      names: units.map(([name]) => name),
      means: Object.fromEntries(unitSums),
      states: states.states.length,
      compute: (counts) => {
        const values = computed(counts);
        if (share === 1) return values;
        middle ??= computed(new Uint8Array(units.length).fill(1));
        return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, scaled(key, value)]));
      },
    };
  };
}

/** A mean over units, each of which is there so many times; null of none. */
function meanOf({ sums, counts }: UnitSums, times: ArrayLike<number>): number | null {
  let [sum, count] = [0, 0];
  for (let i = 0; i < sums.length; i++) {
    const n = times[i] ?? 0;
    if (n > 0 && counts[i]) [sum, count] = [sum + n * (sums[i] ?? 0), count + n * (counts[i] ?? 0)];
  }
  return count > 0 ? sum / count : null;
}
