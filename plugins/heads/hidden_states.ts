/**
 * States of inner layers as outputs, for distillation.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { badValue } from "../../core/base/errors.ts";
import { most } from "../../core/base/most.ts";
import type { Factory, Value } from "../../core/types.ts";

/** Options of {@link hiddenStates}. */
export interface HiddenStatesOptions {
  /** Pairs of layers: one of this model and the one it is compared with; 0 is the output of the embeddings. */
  readonly layers: readonly (readonly [layer: number, target: number])[];
  /** Width of a linear layer after each, if widths differ. */
  readonly projection?: number | undefined;
}

const layer = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(most.layers));

/**
 * `hiddenStates.n` [tokens, hidden] for each pair [m, n]: layer m at the positions that have a target from layer n.
 *
 * @example
 * ```ts
 * import { hiddenStates } from "attune/heads/hidden-states";
 * console.assert(hiddenStates({ layers: [[2, 6]] }).name === "hidden-states");
 * ```
 */
export const hiddenStates: Factory<"head", HiddenStatesOptions> = define({
  kind: "head",
  name: "hidden-states",
  schema: v.strictObject({
    layers: v.pipe(v.array(v.tuple([layer, layer])), v.minLength(1)),
    projection: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most.width))),
  }),
  create: ({ layers, projection }: HiddenStatesOptions) => ({
    modulesToSave: [],
    forward: (b, states) =>
      Object.fromEntries(layers.flatMap(([layer, target]): [string, Value][] => {
        const at = b.labelled(`teacher.hiddenStates.${target}`);
        if (!at) return [];
        const state = states.hiddenStates[layer];
        if (!state) {
          throw badValue("hidden-states", "layers", layer, `a layer from 0 to ${states.hiddenStates.length - 1}`);
        }
        const x = b.rows(state, at);
        const path = `hidden_states_projection.${target}`;
        const y = projection === undefined ? x : b.linear(path, x, { outFeatures: projection });
        return [[`hiddenStates.${target}`, y]];
      })),
  }),
});
