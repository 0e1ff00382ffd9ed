/**
 * Statistics of a metric over any number of rows, for intervals and comparisons: its exact values, and for a sample of
 * the resampled units (rows or clusters of rows) the sums of values that are means, and metric states for the others.
 */
import { sharesOf } from "./figures.ts";
import { createRowFlags, type RowFlags } from "./row_flags.ts";
import { createUnitSample, isSampled, type UnitName } from "./unit_sample.ts";
import { countedUnits, distinctStates } from "./unit_states.ts";
import type { Metric, MetricInputs, Named } from "../types.ts";

/** The statistics of a metric over rows. */
export type MetricStatistics = Readonly<{
  metric: Metric;
  rows: number;
  /** Whether some units have several rows. */
  clustered: boolean;
  /** The values over all rows by path, including those within figures. */
  values: Named<number | null>;
  /** Numerator and denominator of each value that is a share of rows. */
  shares: Named<readonly [right: number, of: number]>;
  /** The right rows, for each value that is a mean over rows that are right or wrong. */
  right: Named<RowFlags>;
  /** Share of all units that are in the sample. */
  share: number;
  /** Returns the sampled units, or a smaller share of units. */
  units(share?: number): KeptUnits;
}>;

/** A sample of units. */
export type KeptUnits = Readonly<{
  share: number;
  names: readonly UnitName[];
  /** For values that are means: each unit's sum and number of rows. */
  means: Named<UnitSums>;
  /**
   * Returns the values if each unit occurs `counts` times. For a sample of units, the change from the sample's own
   * values is scaled by √share, since more units vary less, and added to the values of all units (the m out of n
   * bootstrap: Bickel, Götze & van Zwet 1997).
   */
  compute(counts: ArrayLike<number>): Named<number | null>;
}>;

/** For each unit, the sum of its rows' numbers, and how many rows have a number. */
export type UnitSums = Readonly<{ sums: Float64Array; counts: Float64Array }>;

/** Maximum number of sampled units; and limits of their states: JSON characters, and distinct states per resample. */
export const UNITS = 32_768;
const [CHARACTERS, DISTINCT, LEAST] = [2 ** 23, 8192, 64];

type Unit = { state: unknown; characters: number; sums: number[]; counts: number[] };
type Example = MetricInputs[keyof MetricInputs];
/** Sums of one value over rows; `binary`: all its numbers are 0 or 1; `right`: the right rows, if every row has one. */
type Key = { at: number; sum: number; count: number; binary: boolean; right: RowFlags | undefined };

/** Collects the statistics of a metric. */
export type MetricCollector = Readonly<{
  /** Adds a row, which may have several examples, to its unit. */
  add(unit: UnitName, row: number, examples: readonly Example[]): void;
  /** The metric's state over all rows. */
  state(): unknown;
  end(): MetricStatistics;
}>;

/** Creates an empty collector. `most`: maximum number of sampled units. */
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
    // An update may change a state in place, so no state is shared.
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
        // In a metric by group, a value that every row has is about several groups, and is not a mean even if it looks
        // like one.
        !(metric.figures && key.count === rows)
      );
      const shares = means.filter(([, { binary }]) => binary).map((
        [name, { sum, count }],
      ) => [name, [sum / one, count]]);
      const flags = means.flatMap(([name, { right, count }]) => (right && count === rows ? [[name, right]] : []));
      const units = drawable(metric, sample.units, values, means);
      // A limited number of states is enough to estimate how a value varies.
      let share = sample.share();
      while (units(share).states > DISTINCT) share /= 2;
      return {
        metric,
        rows,
        clustered,
        values,
        // The metric's own shares take precedence over values that only look like means of rows.
        shares: { ...Object.fromEntries(shares), ...sharesOf(metric, total) },
        right: Object.fromEntries(flags),
        share,
        units: (most = share) => units(Math.min(most, share)),
      };
    },
  };
}

/** Adds a row's number. `rows`: rows so far, this one included; `one`: the number of a right row. */
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

/** Returns a test for values that only happen to equal a mean: with other counts of rows they do not. */
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

/** Returns samples of units for resampling, by share; `states`: their number of distinct states. */
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

/** Returns the mean over units that each occur `times` times; null without units. */
function meanOf({ sums, counts }: UnitSums, times: ArrayLike<number>): number | null {
  let [sum, count] = [0, 0];
  for (let i = 0; i < sums.length; i++) {
    const n = times[i] ?? 0;
    if (n > 0 && counts[i]) [sum, count] = [sum + n * (sums[i] ?? 0), count + n * (counts[i] ?? 0)];
  }
  return count > 0 ? sum / count : null;
}
