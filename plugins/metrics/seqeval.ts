/**
 * Entity-level precision, recall and F1.
 * @module
 */
import * as v from "valibot";
import { badValue } from "../../core/base/errors.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory, MetricInputs } from "../../core/types.ts";
import { averageClasses, averagedScores } from "../../blocks/metric/mod.ts";
import { addTo, type ClassCounts, emptyCounts, mergeCounts } from "../../blocks/metric/mod.ts";
import { type Entity, lenientEntities, type Scheme, strictEntities } from "../../blocks/metric/mod.ts";
import { finite } from "../../blocks/metric/mod.ts";

/** Options of {@link seqeval}. */
export interface SeqevalOptions {
  /** How to average over entity types. */
  readonly average: "micro" | "macro" | "weighted";
  /** `strict`: only entities that follow `scheme` count. */
  readonly mode: "default" | "strict";
  /** The tagging scheme, used if `mode` is `strict`. */
  readonly scheme: Scheme;
  /** `type`: scores per type, as `seqeval_PER.f1-score`; `all`: for all together. */
  readonly per: "all" | "type";
  /** The value of 0/0. */
  readonly zeroDivision: 0 | 1;
}

/** `rows` and `correct` count tags; `classes` counts entities by type. */
type State = ClassCounts;

/**
 * Precision, recall and F1 of whole entities, and the accuracy of tags, as CoNLL's script and seqeval compute them.
 * Keys: `seqeval_precision_micro`, `seqeval_recall_micro`, `seqeval_f1_micro` (or the other averages),
 * `seqeval_accuracy`; with `per: "type"` `seqeval_<type>.precision`, `.recall`, `.f1-score` and `.support`.
 *
 * @throws AttuneError from `update` if both sides have different lengths, or a tag breaks the strict scheme's
 * alphabet.
 * @example
 * ```ts
 * import { seqeval } from "attune/metrics/seqeval";
 * const metric = seqeval();
 * const state = metric.update(metric.init(), { prediction: ["B-PER", "O"], reference: ["B-PER", "O"] });
 * console.assert(metric.compute(state).seqeval_f1_micro === 1);
 * ```
 */
export const seqeval: Factory<"metric", Partial<SeqevalOptions>> = define({
  kind: "metric",
  name: "seqeval",
  schema: v.strictObject({
    average: v.optional(v.picklist(["micro", "macro", "weighted"]), "micro"),
    mode: v.optional(v.picklist(["default", "strict"]), "default"),
    scheme: v.optional(v.picklist(["IOB1", "IOE1", "IOB2", "IOE2", "IOBES", "BILOU"]), "IOB2"),
    per: v.optional(v.picklist(["all", "type"]), "all"),
    zeroDivision: v.optional(v.picklist([0, 1]), 0),
  }),
  create: ({ average, mode, scheme, per, zeroDivision }: SeqevalOptions) => {
    const entities = (tags: readonly string[]): Entity[] =>
      mode === "strict" ? strictEntities("seqeval", tags, scheme) : lenientEntities(tags);
    return {
      reads: ["tags"],
      greaterIsBetter: true,
      init: emptyCounts,
      update: (state: State, { prediction, reference }: MetricInputs["tags"]) => {
        if (prediction.length !== reference.length) {
          throw badValue(
            "seqeval",
            "prediction",
            `${prediction.length} tags`,
            `${reference.length} tags, as in the reference`,
          );
        }
        state.rows += reference.length;
        reference.forEach((tag, i) => {
          if (tag === prediction[i]) state.correct++;
        });
        const predicted = entities(prediction);
        const actual = new Set(entities(reference).map(keyOf));
        for (const entity of predicted) addTo(state.classes, entity.type, actual.has(keyOf(entity)) ? 1 : 0, 1, 0);
        for (const { type } of entities(reference)) addTo(state.classes, type, 0, 0, 1);
        return state;
      },
      merge: (a: State, b: State) => mergeCounts(a, b),
      compute: (state: State) => {
        const out: Record<string, number | null> = {};
        if (per === "type") {
          for (const type of Object.keys(state.classes).sort()) {
            const count = state.classes[type] ?? [0, 0, 0];
            const { precision, recall, f } = averagedScores(count, zeroDivision, 1);
            Object.assign(out, {
              [`seqeval_${type}.precision`]: precision,
              [`seqeval_${type}.recall`]: recall,
              [`seqeval_${type}.f1-score`]: f,
              [`seqeval_${type}.support`]: count[2],
            });
          }
          return out;
        }
        const counts = Object.values(state.classes);
        const none = counts.length === 0 && state.rows > 0 ? zeroDivision : null;
        const scores = counts.length > 0
          ? averageClasses(counts, average, zeroDivision, 1)
          : { precision: none, recall: none, f: none };
        out[`seqeval_precision_${average}`] = scores.precision;
        out[`seqeval_recall_${average}`] = scores.recall;
        out[`seqeval_f1_${average}`] = scores.f;
        out.seqeval_accuracy = finite(state.correct / state.rows);
        return out;
      },
    };
  },
});

function keyOf({ type, start, end }: Entity): string {
  return `${start} ${end} ${type}`;
}
