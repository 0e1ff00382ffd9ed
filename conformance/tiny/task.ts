/** Other parts of a run of the tiny model: rows, a task with two classes, an optimizer, exporters. */
import { mergedTensors } from "../../core/run/open/fold.ts";
import {
  badValue,
  cast,
  define,
  equal,
  type Factory,
  type Field,
  type Json,
  jsonBytes,
  logSoftmax,
  maximum,
  missing,
  mul,
  type Named,
  neg,
  not,
  pick,
  type Row,
  sha256,
  sum,
  type Tensor,
  type TrainedModel,
  writeSafetensors,
} from "../../kit.ts";
import { anyOptions } from "./words.ts";

/** Sentences whose label depends on one word. */
export const tinyRows: readonly Row[] = Array.from({ length: 12 }, (_, i) => {
  const good = i % 2 === 0;
  const thing = ["the film", "a food", "the phone", "the very nice film"][i % 4];
  const word = (good ? ["good", "great", "fun"] : ["bad", "awful", "dull"])[i % 3];
  return { text: `${thing} was ${i % 5 === 0 ? "very " : ""}${word} .`, label: good ? "good" : "bad" };
});

const labels = ["bad", "good"];

/** Data set of rows in the spec itself. */
export const rowsInSpec: Factory<"data", Named<unknown>> = define({
  kind: "data",
  name: "tiny-rows",
  schema: anyOptions,
  create: ({ rows = tinyRows }) => {
    const all = rows as readonly Row[];
    return {
      open: async () => ({
        length: all.length,
        fingerprint: await sha256(JSON.stringify(all)),
        read: async function* (from) {
          for (let at = from?.at ?? 0; at < all.length; at++) yield { row: all[at] ?? {}, next: { at: at + 1 } };
        },
      }),
    };
  },
});

/** Collator that encodes `text` and `label`. */
export const tinyCollator: Factory<"collator", Named<unknown>> = define({
  kind: "collator",
  name: "tiny-texts",
  schema: anyOptions,
  create: () => ({
    encode: (row, index, { tokenizer, maxLength, requiresLabels: labelled }) => {
      const inputIds = row.input_ids;
      if (inputIds === undefined && typeof row.text !== "string") {
        throw badValue("tiny-texts", `row ${index}, column "text"`, row.text, "a string");
      }
      const ids = inputIds === undefined
        ? tokenizer.encode(String(row.text), { maxLength })[0].ids
        : Int32Array.from(inputIds as readonly number[]);
      const label = labels.indexOf(String(row.label));
      if (labelled && label < 0) {
        throw badValue("tiny-texts", `row ${index}, column "label"`, row.label, labels.join(" or "));
      }
      const target: Field = { axis: "sample", data: Int32Array.of(label), padValue: -100 };
      const targets: Named<Field> = labelled ? { labels: target } : {};
      return [{
        sequences: [{ length: ids.length, fields: { input_ids: { axis: "token", data: ids, padValue: 0 } } }],
        targets,
        row: index,
      }];
    },
  }),
});

/** Head with two classes, from each sequence's first or last token. */
export const tinyHead: Factory<"head", Named<unknown>> = define({
  kind: "head",
  name: "tiny-classes",
  schema: anyOptions,
  create: () => ({
    modulesToSave: ["classifier"],
    forward: (b, { hidden }, backbone) => {
      const { first, last } = b.stream();
      const at = backbone.heads.sequence?.pool === "last" ? last : first;
      return { logits: b.linear("classifier", b.rows(hidden, at), { outFeatures: labels.length }) };
    },
  }),
});

/** Loss -log p of the class. */
export const tinyLoss: Factory<"loss", Named<unknown>> = define({
  kind: "loss",
  name: "tiny-cross-entropy",
  schema: anyOptions,
  create: () => ({
    over: "batch",
    compares: "classes",
    sum: (_, logits, target) => {
      const counts = cast(not(equal(target, -100)), "float32");
      return neg(sum(mul(pick(logSoftmax(logits), maximum(target, 0)), counts)));
    },
    count: ({ data }) => Array.from(data, Number).filter((label) => label !== -100).length,
  }),
});

/** Task that classifies texts into two classes. */
export const tinyTask: Factory<"task", Named<unknown>> = define({
  kind: "task",
  name: "tiny-classes",
  schema: anyOptions,
  create: () => ({
    subtasks: [{
      name: "",
      labels,
      collator: "tiny-texts",
      heads: ["tiny-classes"],
      metrics: [],
      losses: [{ loss: "tiny-cross-entropy", output: "logits", target: "labels", classes: labels.length }],
      taskType: "SEQ_CLS",
      config: { id2label: { "0": "bad", "1": "good" }, label2id: { bad: 0, good: 1 } },
      decode: ({ logits }, { inputs }) => ({
        label: scoresOf(logits).map((scores, i) => ({
          prediction: scores[1] > scores[0] ? 1 : 0,
          reference: Number(inputs.labels?.data[i]),
          scores,
        })),
      }),
      predict: ({ logits }) =>
        scoresOf(logits).map((scores) => ({
          label: labels[scores[1] > scores[0] ? 1 : 0] ?? "",
          score: Math.max(...scores),
          scores,
        })),
    }],
  }),
});

/** Returns probabilities from the logits of two classes. */
function scoresOf(logits: Tensor | undefined): (readonly [number, number])[] {
  const data = Array.from(logits?.data ?? [], Number);
  return Array.from({ length: data.length / 2 }, (_, i) => {
    const [a = 0, b = 0] = data.slice(2 * i, 2 * i + 2);
    const p = 1 / (1 + Math.exp(a - b));
    return [1 - p, p];
  });
}

/** Optimizer x ← x - rate · gradient. */
export const tinyOptimizer: Factory<"optimizer", Named<unknown>> = define({
  kind: "optimizer",
  name: "tiny-descent",
  schema: anyOptions,
  create: () => ({
    elementwise: true,
    state: () => ({}),
    update: ({ parameter, gradient }, { learningRate, gradientScale }, kernels) =>
      kernels.axpy(parameter, -learningRate * gradientScale, gradient),
    decayWithoutGradient: () => 1,
  }),
});

/** Schedule with the same rate at every step. */
export const tinySchedule: Factory<"schedule", Named<unknown>> = define({
  kind: "schedule",
  name: "tiny-constant",
  schema: anyOptions,
  create: () => ({ factor: () => 1 }),
});

/** Exporter of a model's folder, for catalogs without an exporter of this name. */
export const tinyModelFiles: Factory<"exporter", Named<unknown>> = define({
  kind: "exporter",
  name: "hf",
  schema: anyOptions,
  create: () => ({
    leaves: () => "model",
    write: async (trained, to) => {
      const { base, task } = trained;
      const { forms, read } = await mergedTensors(trained);
      const tensors: Record<string, Tensor> = {};
      for (const name of Object.keys(forms)) tensors[name] = await read(name);
      await to.put("config.json", jsonBytes({ ...base.config, ...task.config }));
      await to.put("model.safetensors", writeSafetensors(tensors));
      return ["config.json", "model.safetensors"];
    },
  }),
});

/** Exporter of an adapter's folder, for catalogs without an exporter of this name. */
export const tinyAdapterFiles: Factory<"exporter", Named<unknown>> = define({
  kind: "exporter",
  name: "peft",
  schema: anyOptions,
  create: () => ({
    leaves: (attached) => (attached.some(({ record }) => record) ? "adapter" : undefined),
    write: async (trained: TrainedModel, to) => {
      const [attached] = trained.attached.filter(({ record }) => record);
      if (!attached?.record) throw missing("peft", "an adapter that PEFT can load", "the run");
      const tensors: Record<string, Tensor> = {};
      for (const name of trained.trained) {
        const key = attached.record.key(name);
        if (key !== undefined) tensors[key] = await trained.read(name);
      }
      await to.put("adapter_config.json", jsonBytes(attached.record.config as Json));
      await to.put("adapter_model.safetensors", writeSafetensors(tensors));
      return ["adapter_config.json", "adapter_model.safetensors"];
    },
  }),
});
