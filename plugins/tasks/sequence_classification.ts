/**
 * The objective of classifying (or scoring) whole texts.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { most } from "../../core/base/most.ts";
import type { Factory } from "../../core/types.ts";
import {
  classificationTask,
  type Label,
  labelsSchema,
  type SequenceClassificationOptions,
} from "../../blocks/task/mod.ts";

export type { SequenceClassificationOptions } from "../../blocks/task/mod.ts";

type Input = Partial<Omit<SequenceClassificationOptions, "labels">> & Readonly<{ labels?: readonly Label[] }>;

/**
 * Sequence classification: `text`, optional `textPair`, `label`.
 *
 * @example
 * ```ts
 * import { sequenceClassification } from "attune/tasks/sequence-classification";
 * const { subtasks } = sequenceClassification({ labels: ["negative", "positive"] });
 * console.assert(subtasks[0]?.taskType === "SEQ_CLS");
 * ```
 */
export const sequenceClassification: Factory<"task", Input> = define({
  kind: "task",
  name: "sequence-classification",
  schema: v.strictObject({
    labels: v.optional(labelsSchema),
    numLabels: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most.labels))),
    problemType: v.optional(v.picklist(["single-label", "multi-label", "regression"]), "single-label"),
    columns: v.optional(v.record(v.string(), v.string()), {}),
  }),
  create: (options: SequenceClassificationOptions) => ({ subtasks: [classificationTask(options)] }),
});
