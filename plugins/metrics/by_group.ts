/**
 * Computes any metric by group.
 * @module
 */
import * as v from "valibot";
import { groupColumns, groupEntries, groupOf, type GroupOptions, inOrder } from "../../blocks/metric/mod.ts";
import { pluginOption } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory, Json, Metric, MetricInputs, Named } from "../../core/types.ts";

/** Options of {@link byGroup}. */
export interface ByGroupOptions extends GroupOptions {
  /** The metric to compute for each group. */
  readonly metric: Metric;
}

type Input = Partial<GroupOptions> & Readonly<{ metric: unknown }>;

type Group = Readonly<{ count: number; state: unknown }>;
type State = Readonly<{ groups: { [name: string]: Group } }>;

/**
 * A metric for each group of rows with the same value of a column, or of several crossed columns. Its value is that of
 * the worst group, under `<metric>_by_<column>`; its figures have every group's value and number of rows:
 * `{"accuracy_by_region": {"north": {"value": 0.9, "count": 120}}}`. A group with fewer rows than `minCount` has null
 * there.
 *
 * @throws AttuneError if a row has no value of the column, or `column` and `columns` are both there or both missing.
 * @example
 * ```ts
 * import { accuracy } from "attune/metrics/accuracy";
 * import { byGroup } from "attune/metrics/by-group";
 * const metric = byGroup({ metric: accuracy(), column: "region" });
 * const rows = [[1, "north"], [0, "north"], [1, "south"]] as const;
 * const state = rows.reduce(
 *   (s, [prediction, region]) => metric.update(s, { prediction, reference: 1, columns: { region } }),
 *   metric.init(),
 * );
 * console.assert(metric.compute(state).accuracy_by_region === 0.5);
 * ```
 */
export const byGroup: Factory<"metric", Input> = define({
  kind: "metric",
  name: "by-group",
  schema: v.strictObject({
    ...groupEntries,
    metric: pluginOption("metric", "a metric"),
  }) as v.GenericSchema<Input, ByGroupOptions>,
  create: (options: ByGroupOptions) => {
    const { metric, minCount } = options;
    const { gather } = metric;
    const columns = groupColumns("by-group", options);
    const suffix = `_by_${columns.join("_")}`;
    const valuesOf = ({ groups }: State): readonly (readonly [string, number, Named<number | null>])[] =>
      inOrder(groups).map(([name, { count, state }]) => [name, count, metric.compute(state)]);
    const keysOf = (values: ReturnType<typeof valuesOf>): readonly string[] => [
      ...new Set([...Object.keys(metric.compute(metric.init())), ...values.flatMap(([, , own]) => Object.keys(own))]),
    ];
    const gatedMembers = (least: number): Pick<Metric, "compute" | "figures"> => ({
      compute: (state: unknown) => {
        const values = valuesOf(state as State);
        const worst = metric.greaterIsBetter ? Math.min : Math.max;
        return Object.fromEntries(
          keysOf(values).map((key) => {
            const all = values.flatMap(([, count, own]) => (count >= least ? own[key] ?? [] : []));
            return [key + suffix, all.length === 0 ? null : worst(...all)];
          }),
        );
      },
      figures: (state: unknown): Named<Json> => {
        const values = valuesOf(state as State);
        return Object.fromEntries(
          keysOf(values).map((key) => [
            key + suffix,
            Object.fromEntries(
              values.map(([name, count, own]) => [name, { value: count >= least ? own[key] ?? null : null, count }]),
            ),
          ]),
        );
      },
    });
    return {
      reads: metric.reads,
      columns: [...new Set([...columns, ...metric.columns ?? []])],
      greaterIsBetter: metric.greaterIsBetter,
      ...(metric.percent ? { percent: true } : {}),
      init: (): State => ({ groups: {} }),
      update: ({ groups }: State, example: MetricInputs[keyof MetricInputs]): State => {
        const name = groupOf("by-group", example, columns);
        const group = Object.hasOwn(groups, name) ? groups[name] : undefined;
        if (group) groups[name] = { count: group.count + 1, state: metric.update(group.state, example) };
        else groups[name] = { count: 1, state: metric.update(metric.init(), example) };
        return { groups };
      },
      ...(metric.steps ? { steps: metric.steps } : {}),
      merge: (a: State, b: State): State => {
        const groups: Record<string, Group> = {};
        for (const [name, { count, state }] of [...Object.entries(a.groups), ...Object.entries(b.groups)]) {
          const group = (Object.hasOwn(groups, name) ? groups[name] : undefined) ?? { count: 0, state: metric.init() };
          groups[name] = { count: group.count + count, state: metric.merge(group.state, state) };
        }
        return { groups };
      },
      ...(gather
        ? { gather: (states: readonly State[], counts: ArrayLike<number>) => mergeRepeated(gather, states, counts) }
        : {}),
      ...gatedMembers(minCount),
      ...(minCount > 1 ? { alone: gatedMembers(1) } : {}),
    };
  },
});

/** Merges states, each a given number of times, group by group. */
function mergeRepeated(
  gather: NonNullable<Metric["gather"]>,
  states: readonly State[],
  counts: ArrayLike<number>,
): State {
  const parts = new Map<string, { count: number; states: unknown[]; counts: number[] }>();
  states.forEach(({ groups }, i) => {
    const times = counts[i] ?? 0;
    if (times === 0) return;
    for (const [name, { count, state }] of Object.entries(groups)) {
      const part = parts.get(name) ?? { count: 0, states: [], counts: [] };
      parts.set(name, part);
      part.count += times * count;
      part.states.push(state);
      part.counts.push(times);
    }
  });
  const groups = [...parts].map((
    [name, part],
  ) => [name, { count: part.count, state: gather(part.states, part.counts) }]);
  return { groups: Object.fromEntries(groups) };
}
