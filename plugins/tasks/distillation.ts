/**
 * Knowledge distillation: a small model learns a larger model's outputs for the same rows.
 * @module
 */
import * as v from "valibot";
import { pluginOption, role } from "../../blocks/options/mod.ts";
import { headClasses } from "../../core/data/class_names.ts";
import { define } from "../../core/spec/define.ts";
import { most } from "../../core/base/most.ts";
import { badValue, show } from "../../core/base/errors.ts";
import type { Factory, ModelSource, Subtask, Task, TokenizerLoader } from "../../core/types.ts";
import { vectorRows } from "../../blocks/task/mod.ts";

/** Options of {@link distillation}. At least one of `embeddings`, `hiddenStates` and `logits` is compared. */
export interface DistillationOptions {
  /** The teacher model, frozen and mapped from its files. */
  readonly teacher: ModelSource;
  /** The teacher's tokenizer, if not the one in its files. */
  readonly teacherTokenizer?: TokenizerLoader | undefined;
  /** A task to learn from labels, too, whose logits may be compared. */
  readonly task?: Task | undefined;
  /**
   * Sentence embeddings: the mean squared difference of vectors of length 1. `projection`: the teacher's width, if it
   * differs from the student's.
   */
  readonly embeddings?:
    | Readonly<{ weight: number; pooling: "mean" | "first"; projection?: number | undefined }>
    | undefined;
  /**
   * Hidden states: the mean squared difference over pairs of layers [student, teacher]; 0 is the output of the
   * embeddings.
   */
  readonly hiddenStates?:
    | Readonly<{ weight: number; layers: readonly (readonly [number, number])[]; projection?: number | undefined }>
    | undefined;
  /** Logits of `task`: Kullback-Leibler divergence at a temperature T, times T² (Hinton et al. 2015). */
  readonly logits?: Readonly<{ weight: number; temperature: number }> | undefined;
  /** The weight of the loss of `task`. */
  readonly taskWeight: number;
  /** The folder that caches the teacher's outputs between runs; absent: the user's cache, if the run has one; null: none. */
  readonly cache?: string | null | undefined;
  /** Names of the columns, if there is no `task`. */
  readonly columns: Readonly<Record<string, string>>;
}

type Input = Readonly<{
  teacher: unknown;
  teacherTokenizer?: unknown;
  task?: unknown;
  embeddings?: Readonly<{ weight?: number; pooling?: "mean" | "first"; projection?: number }>;
  hiddenStates?: Readonly<{ weight?: number; layers: readonly (readonly [number, number])[]; projection?: number }>;
  logits?: Readonly<{ weight?: number; temperature?: number }>;
  taskWeight?: number;
  cache?: string | null;
  columns?: Readonly<Record<string, string>>;
}>;

const weight = v.optional(v.pipe(v.number(), v.minValue(0)), 1);
const width = v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most.width)));
const layer = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(most.layers));

/**
 * Knowledge distillation: the teacher's outputs become targets for the student. They are computed once, before the first
 * step, and kept on disk; without room to keep them, they are computed anew in each epoch, with the same values.
 *
 * @example
 * ```ts
 * import { distillation } from "attune/tasks/distillation";
 * import { pretrained } from "attune/models/pretrained";
 * const { subtasks } = distillation({ teacher: pretrained({ path: "org/teacher" }), embeddings: {} });
 * console.assert(subtasks[0]?.losses[0]?.target === "teacher.embedding");
 * ```
 */
export const distillation: Factory<"task", Input> = define({
  kind: "task",
  name: "distillation",
  schema: v.pipe(
    v.strictObject({
      teacher: pluginOption("model", 'a model, as { use: "pretrained", with: { path } }'),
      teacherTokenizer: v.optional(pluginOption("tokenizer", "a tokenizer")),
      task: v.optional(pluginOption("task", "a task")),
      embeddings: v.optional(
        v.strictObject({ weight, pooling: v.optional(v.picklist(["mean", "first"]), "mean"), projection: width }),
      ),
      hiddenStates: v.optional(
        v.strictObject({
          weight,
          layers: v.pipe(v.array(v.tuple([layer, layer])), v.minLength(1)),
          projection: width,
        }),
      ),
      logits: v.optional(v.strictObject({ weight, temperature: v.optional(v.pipe(v.number(), v.gtValue(0)), 2) })),
      taskWeight: weight,
      cache: role(v.optional(v.nullable(v.string())), { role: "cache" }),
      columns: v.optional(v.record(v.string(), v.string()), {}),
    }),
    v.check(
      ({ embeddings, hiddenStates, logits }) => (embeddings ?? hiddenStates ?? logits) !== undefined,
      "at least one of embeddings, hiddenStates and logits",
    ),
    v.check(({ logits, task }) => !logits || task !== undefined, "a task, because logits are compared"),
  ) as v.GenericSchema<Input, DistillationOptions>,
  create: (options: DistillationOptions) => ({
    subtasks: (options.task?.subtasks ?? [undefined]).map((task) => taskOf(options, task)),
  }),
});

/** Returns the teacher's task, with its classes in the student's order. */
function teacherTask(task: Subtask, labels: readonly string[] | undefined): Subtask {
  return {
    ...task,
    withConfig: (context) => ({
      ...task,
      heads: task.heads.map((head) => {
        if (!labels || typeof head === "string" || !("use" in head)) return head;
        if (head.use !== "sequence" && head.use !== "token") return head;
        const { names, order, note } = headClasses(labels, head.use, context);
        if (note !== undefined) throw badValue("distillation", "teacher: id2label", names, show(labels));
        return { use: head.use, with: { ...head.with, order } };
      }),
    }),
  };
}

function taskOf(options: DistillationOptions, task: Subtask | undefined): Subtask {
  const { embeddings, hiddenStates, logits } = options;
  const compared: Subtask["losses"][number][] = [];
  const heads: Subtask["heads"][number][] = [];
  const teacherHeads: Subtask["heads"][number][] = logits ? [...task?.heads ?? []] : [];
  if (embeddings) {
    const { pooling, projection, weight } = embeddings;
    heads.push({ use: "embedding", with: { pooling, projection } });
    teacherHeads.push({ use: "embedding", with: { pooling } });
    compared.push({ loss: "mse", output: "embedding", target: "teacher.embedding", weight });
  }
  if (hiddenStates) {
    const { layers, projection, weight } = hiddenStates;
    heads.push({ use: "hidden-states", with: { layers, projection } });
    for (const [, n] of layers) {
      const name = `hiddenStates.${n}`;
      compared.push({ loss: "mse", output: name, target: `teacher.${name}`, weight: weight / layers.length });
    }
  }
  if (logits) {
    const { temperature, weight } = logits;
    const loss = { use: "distillation-kl", with: { temperature } };
    compared.push({ loss, output: "logits", target: "teacher.logits", weight });
  }
  const collator = task?.collator ?? { use: "padding", with: { problemType: "none", columns: options.columns } };
  const alone: Subtask = {
    name: "",
    collator,
    heads,
    metrics: [],
    losses: compared,
    decode: () => ({}),
    predict: vectorRows,
  };
  const taskLosses = (task?.losses ?? []).map((l) => ({ ...l, weight: (l.weight ?? 1) * options.taskWeight }));
  const completed = task?.withConfig;
  return {
    ...alone,
    ...task,
    withConfig: completed && ((context) => taskOf(options, completed(context))),
    heads: [...task?.heads ?? [], ...heads],
    losses: [...taskLosses.filter((l) => l.weight > 0), ...compared],
    teacher: {
      model: options.teacher,
      ...(options.teacherTokenizer ? { tokenizer: options.teacherTokenizer } : {}),
      task: teacherTask({ ...alone, heads: teacherHeads, losses: [] }, task?.labels),
      outputs: [...new Set(compared.map((l) => l.target.replace("teacher.", "")))],
      cache: options.cache,
    },
  };
}
