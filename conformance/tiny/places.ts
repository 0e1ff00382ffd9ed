/** A task with three classes for every token, for any model. */
import { define, type Factory, logSoftmax, missing, type Named, neg, pick, sum } from "../../kit.ts";
import { anyOptions } from "./words.ts";

const CLASSES = 3;

/** Collator of `input_ids` with a label each, or of `text`. */
export const placesCollator: Factory<"collator", Named<unknown>> = define({
  kind: "collator",
  name: "tiny-places",
  schema: anyOptions,
  create: () => ({
    encode: (row, index, { tokenizer, requiresLabels: labelled }) => {
      if (row.input_ids === undefined && typeof row.text !== "string") {
        throw missing("tiny-places", "input_ids or text", `row ${index}`);
      }
      const ids = row.input_ids === undefined
        ? tokenizer.encode(String(row.text))[0].ids
        : Int32Array.from(row.input_ids as readonly number[]);
      const labels = Array.isArray(row.labels) ? Int32Array.from(row.labels) : ids.map((id) => id % CLASSES);
      return [{
        sequences: [{
          length: ids.length,
          fields: {
            input_ids: { axis: "token", data: ids, padValue: 0 },
            ...(labelled
              ? { labels: { axis: "token" as const, data: labels, padValue: -100, ignoreIndex: -100 } }
              : {}),
          },
        }],
        targets: {},
        row: index,
      }];
    },
  }),
});

/** Head with logits at every position. */
export const placesHead: Factory<"head", Named<unknown>> = define({
  kind: "head",
  name: "tiny-places",
  schema: anyOptions,
  create: () => ({
    modulesToSave: ["places"],
    forward: (b, { hidden }) => {
      const at = b.labelled("labels");
      return { logits: b.linear("places", at ? b.rows(hidden, at) : hidden, { outFeatures: CLASSES }) };
    },
  }),
});

/** Loss -log p of each position's class. */
export const placesLoss: Factory<"loss", Named<unknown>> = define({
  kind: "loss",
  name: "tiny-places",
  schema: anyOptions,
  create: () => ({
    over: "batch",
    sum: (_, logits, target) => neg(sum(pick(logSoftmax(logits), target))),
    count: ({ data }) => data.length,
  }),
});

/** The task with three classes for every token. */
export const placesTask: Factory<"task", Named<unknown>> = define({
  kind: "task",
  name: "tiny-places",
  schema: anyOptions,
  create: () => ({
    subtasks: [{
      name: "",
      collator: "tiny-places",
      heads: ["tiny-places"],
      metrics: [],
      losses: [{ loss: "tiny-places", output: "logits", target: "labels" }],
      taskType: "TOKEN_CLS",
      decode: () => ({}),
      predict: () => [],
    }],
  }),
});
