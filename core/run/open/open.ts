/** Opens the parts that a run names: checkpoint, model, tokenizer, and the parts of its tasks. */
import { badValue, missing, show, unsupported } from "../../base/errors.ts";
import type { OpenRun } from "./open_run.ts";
import { checkComplete } from "./complete.ts";
import type { LabelledRun } from "./labels.ts";
import { inNamedClasses } from "../../data/named_classes.ts";
import { classNames } from "../../data/class_names.ts";
import { blockSizeOf } from "./quantizer.ts";
import { inspect, inspectBackbone, withHeads } from "../../engine/inspect.ts";
import { taskData } from "../../spec/run_data.ts";
import type {
  Adapter,
  AttachedAdapter,
  BatchLayout,
  Checkpoint,
  Dataset,
  Head,
  Host,
  InspectedBackbone,
  Loss,
  Named,
  Run,
  Subtask,
} from "../../types.ts";

export type { OpenRun } from "./open_run.ts";

/** Opens the parts of a run with one task. Throws AttuneError if a part is missing or not supported. */
export async function openRun(run: Run, host: Host): Promise<OpenRun> {
  const [open, ...others] = await openTasks(run, host);
  if (!open) throw missing("spec", "a task", run.task.name);
  if (others.length > 0) {
    const names = run.task.subtasks.map((task) => task.name);
    throw unsupported("spec", "task", run.task.name, `open one of its tasks instead (${names.join(", ")})`);
  }
  return open;
}

/** Opens the tasks of a run, with the parts that they share. Throws AttuneError if one is missing or not supported. */
export async function openTasks(spec: Run, host: Host): Promise<readonly OpenRun[]> {
  const opened = await spec.model.open(host);
  const asks = spec.task.subtasks.some((task) => task.asksModules);
  const sentences = asks ? await import("../../files/sentence_modules.ts") : undefined;
  const modules = await sentences?.readSentenceModules(opened.files);
  const source = await sentences?.withDense(opened, modules) ?? opened;
  const tokenizer = await spec.tokenizer.open(source.files);
  const stored = tokenizer.changed ? (await import("./resized_embeddings.ts")).withTokens(source, tokenizer) : source;
  const { run, warnings } = await withLabels(spec, host, stored);
  const model = await run.architectureFor(stored.config.model_type);
  const { config, weights: { names } } = stored;
  const architecture = model.read(config, names);
  if (!architecture.family) throw missing(model.name, "`family` (FamilyFacts)", "what the model's `read` returns");
  const trained = (head: string): boolean => {
    const out = architecture.heads[head]?.out;
    return names.some((name) => name === `${out}.weight` || name.endsWith(`.${out}.weight`));
  };
  const tasks = run.task.subtasks.map((task, i): Subtask => {
    const completed = task.withConfig?.({ config, trained, modules }) ?? task;
    const notes = [...i === 0 ? warnings : [], ...completed.notes ?? []];
    return notes.length > 0 ? { ...completed, notes } : completed;
  });
  const heads = tasks.map((task) => headsOf(run, task));
  const built = inspectBackbone(architecture, heads.flat());
  // Heads of several tasks may have modules with the same name.
  const ties = Object.assign({}, built.ties, ...heads.map((head) => withHeads(built, head).ties));
  const backbone = { ...built, ties, untied: await untiedOf(stored, { ...built, ties }) };
  const packed = stored.quantization && await import("./quantized_base.ts");
  const turned = packed?.transposeConv1ds(stored, backbone) ?? stored;
  const checkpoint = turned.vocabSizeBefore === undefined ? turned : await grownFor(turned, backbone, heads);
  const runs: OpenRun[] = [];
  for (const [i, task] of tasks.entries()) {
    runs.push(await openTask({ run, host, checkpoint, backbone, tokenizer, task, heads: heads[i] ?? [] }));
  }
  const encodes = run.accelerators.length > 0 || checkpoint.weights.formatOf !== undefined;
  return encodes ? (await import("./accelerated.ts")).withAcceleratedWeights(runs) : runs;
}

/** Returns the ties that the checkpoint does not keep; loads the code for that only if the model shares tensors. */
async function untiedOf(checkpoint: Checkpoint, backbone: InspectedBackbone): Promise<readonly string[]> {
  if (Object.keys(backbone.ties).length === 0) return [];
  return await (await import("./ties.ts")).untiedIn(checkpoint, backbone);
}

/** Returns the run with class names from its training rows, if neither the spec nor the checkpoint has any. */
async function withLabels(run: Run, host: Host, { config }: Checkpoint): Promise<LabelledRun> {
  if (!run.task.subtasks.some((task) => task.labelsIn) || classNames(config)) return { run, warnings: [] };
  return await (await import("./labels.ts")).readLabels(run, host);
}

/** Returns a checkpoint whose tables have a row for each of the tokenizer's tokens. */
async function grownFor(
  checkpoint: Checkpoint,
  backbone: InspectedBackbone,
  heads: readonly (readonly Head[])[],
): Promise<Checkpoint> {
  const { withGrownTables } = await import("./resized_embeddings.ts");
  const shapes = new Map<string, readonly number[]>();
  for (const head of heads) {
    for (const p of inspect({ backbone, attached: [], heads: head }).parameters.values()) {
      shapes.set(p.name, p.shape);
    }
  }
  return withGrownTables(checkpoint, backbone, shapes);
}

function headsOf(run: Run, task: Subtask): readonly Head[] {
  const heads = task.heads.map((head) => run.use("head", head));
  if (run.spec.head === undefined) return heads;
  if (heads.some(({ options }) => "order" in options && options.order !== undefined)) {
    const names = Object.values((task.config?.id2label ?? {}) as Named<string>);
    throw badValue(
      "spec",
      "task.with.labels",
      task.labels,
      `the order of the checkpoint's id2label, ${show(names)}, because its head is used`,
    );
  }
  return [run.use("head", run.spec.head)];
}

async function openTask(
  shared: Pick<OpenRun, "run" | "host" | "checkpoint" | "backbone" | "tokenizer" | "task" | "heads">,
): Promise<OpenRun> {
  const { backbone, tokenizer, task, heads } = shared;
  const collator = shared.run.use("collator", shared.run.spec.collator ?? task.collator);
  const data = Object.fromEntries(
    Object.entries(taskData(shared.run, task)).map(([split, dataset]) => [
      split,
      inNamedClasses(dataset, collator.columns?.classes),
    ]),
  );
  const losses = await openLosses(shared, data.train);
  const run = withLoss(shared.run, losses[0]?.loss);
  const attached: AttachedAdapter[] = [];
  const plugins = (task.adapters ?? []).map((adapter) => run.use("adapter", adapter));
  // If a task has adapters of its own beside the shared ones, every adapter needs a name.
  const several = run.task.subtasks.some((t) => (t.adapters ?? []).length > 0);
  const names = [
    ...adapterNames(run.adapters, several),
    ...plugins.map((_, i) => (i === 0 ? task.name : `${task.name}-${i + 1}`)),
  ];
  for (const [i, adapter] of [...run.adapters, ...plugins].entries()) {
    attached.push({ ...await attachAdapter(shared, adapter), name: names[i] });
  }
  const { training } = run;
  const open: OpenRun = {
    ...shared,
    run,
    collator,
    losses,
    metrics: run.spec.metrics === undefined ? task.metrics.map((m) => run.use("metric", m)) : run.metrics,
    attached,
    layout: {
      side: tokenizer.paddingSide,
      padToMultipleOf: training.padToMultipleOf ?? 1,
      padToLength: training.padding === "max_length" ? training.maxLength ?? 0 : 0,
      rowSharing: training.rowSharing && training.padding === "longest" &&
        ![...attached, ...heads].some((part) => part.unshareable),
      positions: backbone.positions,
      padTokenId: backbone.padTokenId,
      reserve: reserved(attached),
      ...(task.name === "" ? {} : { task: task.name }),
    },
    data,
  };
  await checkComplete(open);
  return open;
}

/**
 * Returns a task's losses, the first replaced by the spec's loss if there is one. Losses that need class counts get
 * those of the training rows.
 */
async function openLosses(
  { run, host, task }: Pick<OpenRun, "run" | "host" | "task">,
  train: Dataset | undefined,
): Promise<OpenRun["losses"]> {
  const losses: OpenRun["losses"][number][] = [];
  for (const [i, { loss, output, target, weight = 1, classes }] of task.losses.entries()) {
    const plugin = run.use("loss", i === 0 && run.spec.loss !== undefined ? run.spec.loss : loss);
    losses.push({
      loss: plugin.withClassCounts
        ? await (await import("./class_counts.ts")).withClassCounts(plugin, { task, train, host, classes })
        : plugin,
      output,
      target,
      weight,
      classes,
      name: task.losses.findIndex((l) => l.output === output) === i ? output : `${output}${i}`,
    });
  }
  return losses;
}

/** Returns a run whose spec has the opened loss, so that its class counts are saved with the spec. */
function withLoss(run: Run, loss: Loss | undefined): Run {
  return run.spec.loss === undefined || !loss ? run : { ...run, spec: { ...run.spec, loss } };
}

/** Opens an adapter and attaches it to a model and its heads. */
export async function attachAdapter(
  open: Pick<OpenRun, "run" | "backbone" | "heads" | "task" | "tokenizer" | "host" | "checkpoint">,
  adapter: Adapter,
): Promise<AttachedAdapter> {
  const { backbone, heads, task, tokenizer, host, checkpoint } = open;
  const opened = adapter.open ? await adapter.open(host) : adapter;
  const stored = (module: string): boolean => checkpoint.weights.names.some((name) => name.startsWith(`${module}.`));
  const modules = heads.flatMap((h) => backbone.heads[h.name]?.modulesToSave ?? h.modulesToSave);
  const parent = heads.map((h) => backbone.heads[h.name]?.parentModule).find((name) => name !== undefined);
  return opened.attach(withHeads(backbone, heads), {
    modules,
    task: task.taskType ?? "",
    tokenizer,
    isInCheckpoint: stored,
    blockSizeOf: (module) => blockSizeOf(open, module),
    ...(parent === undefined ? {} : { parent: { module: parent, beside: modules } }),
  });
}

/** Returns a run with other adapters, and the positions that these reserve. */
export function replaceAdapters(open: OpenRun, attached: readonly AttachedAdapter[]): OpenRun {
  const share = open.layout.rowSharing && !attached.some((a) => a.unshareable);
  return { ...open, attached, layout: { ...open.layout, rowSharing: share, reserve: reserved(attached) } };
}

/** Returns the longest input in tokens: what the run asks for, limited by the model, its adapters and the tokenizer. */
export function maxLengthOf({ run, backbone, tokenizer, layout, task }: OpenRun): number {
  const { tokens, positions } = layout.reserve;
  const room = backbone.maxPositions - tokens - (backbone.decoderStartTokenId === undefined ? positions : 0);
  if (run.training.maxLength !== null) return Math.min(run.training.maxLength, backbone.extrapolates ? Infinity : room);
  return Math.min(room, task.modules?.maxLength ?? tokenizer.modelMaxLength ?? Infinity);
}

/** Returns the name of each adapter; a single adapter needs none unless `always`. */
function adapterNames(
  adapters: readonly Readonly<{ name: string }>[],
  always = false,
): readonly (string | undefined)[] {
  if (adapters.length < 2 && !always) return adapters.map(() => undefined);
  const earlier = (i: number): number => adapters.slice(0, i).filter((a) => a.name === adapters[i]?.name).length;
  return adapters.map(({ name }, i) => (earlier(i) === 0 ? name : `${name}-${earlier(i) + 1}`));
}

/** Returns the tokens and positions that adapters reserve in front of each sequence. */
function reserved(attached: readonly AttachedAdapter[]): BatchLayout["reserve"] {
  const tokens = attached.flatMap((a) => a.reservedPositions?.tokens ?? []);
  if (tokens.length > 1) {
    throw unsupported("spec", "adapter", tokens, "only one adapter may prepend tokens");
  }
  return {
    tokens: tokens[0] ?? 0,
    positions: attached.reduce((n, a) => n + (a.reservedPositions?.positions ?? 0), 0),
  };
}
