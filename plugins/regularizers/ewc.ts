/**
 * Keeps weights near their values, in proportion to their importance for an old task.
 * @module
 */
import * as v from "valibot";
import { pluginOption } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import { missing } from "../../core/base/errors.ts";
import { add, mul, square, sub, sum } from "../../core/graph/ops/functions.ts";
import type { Dataset, Factory, Tensor } from "../../core/types.ts";
import { savedValues } from "../../blocks/regularizer/mod.ts";

/** Options of {@link ewc}. */
export interface EwcOptions {
  /** Rows of the old task, in the format of this run's task. */
  readonly data: Dataset;
  /** How strongly weights are kept near their old values. */
  readonly lambda: number;
  /** The largest number of rows to use. */
  readonly rows: number;
}

type Input = Readonly<{ data: unknown; lambda?: number; rows?: number }>;

/**
 * Elastic weight consolidation (Kirkpatrick et al. 2017): ½λ Σ F (w - w₀)², F the diagonal of the Fisher information at
 * the start, estimated as the mean of squared gradients of rows of an old task (with their own labels, the empirical
 * Fisher). Parameters without a saved value are free.
 *
 * @example
 * ```ts
 * import { memory } from "attune/data/memory";
 * import { ewc } from "attune/regularizers/ewc";
 * console.assert(ewc({ data: memory({ rows: [{ text: "old", label: "good" }] }) }).name === "ewc");
 * ```
 */
export const ewc: Factory<"regularizer", Input> = define({
  kind: "regularizer",
  name: "ewc",
  schema: v.strictObject({
    data: pluginOption("data", "a dataset"),
    lambda: v.optional(v.pipe(v.number(), v.minValue(0)), 100),
    rows: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 256),
  }) as v.GenericSchema<Input, EwcOptions>,
  create: ({ data, lambda, rows }: EwcOptions) => ({
    prepare: async (probe) => {
      const start = await savedValues(probe, () => true);
      const fisher = Object.fromEntries(
        Object.entries(start).map(([name, t]) => [name, new Float64Array(t.data.length)]),
      );
      let count = 0;
      for await (const gradients of probe.gradients(data)) {
        for (const [name, total] of Object.entries(fisher)) {
          const g = gradients[name];
          if (g) { for (let i = 0; i < total.length; i++) total[i] = (total[i] ?? 0) + (g[i] ?? 0) ** 2; }
        }
        if (++count >= rows) break;
      }
      if (count === 0) throw missing("ewc", "a row", "data");
      const tensors: Record<string, Tensor<Float32Array>> = {};
      for (const [name, t] of Object.entries(start)) {
        tensors[`start/${name}`] = t;
        tensors[`fisher/${name}`] = { ...t, data: Float32Array.from(fisher[name] ?? [], (f) => f / count) };
      }
      return tensors;
    },
    term: (b, { frozen }) => {
      const penalties = Object.entries(b.trainable()).flatMap(([name, w]) => {
        const [start, fisher] = [frozen[`start/${name}`], frozen[`fisher/${name}`]];
        return start && fisher ? [sum(mul(fisher, square(sub(w, start))))] : [];
      });
      if (penalties.length === 0) throw missing("ewc", "a parameter with a saved value", "what trains");
      return mul(penalties.reduce((a, c) => add(a, c)), lambda / 2);
    },
  }),
});
