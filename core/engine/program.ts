/** Programs: the graph of one task in one mode, from the model's inputs to losses and gradients. */
import { missing, unsupported } from "../base/errors.ts";
import * as f from "../graph/ops/functions.ts";
import { type Dim, seqDim } from "../graph/ops/dims.ts";
import { Graph, lossFactorInput, type Rewrite, type Value } from "../graph/graph.ts";
import { weightInput } from "../data/row_weight.ts";
import { gradients } from "../graph/autodiff.ts";
import type {
  Accelerator,
  AttachedAdapter,
  BackboneOutput,
  ForwardPass,
  GraphBuilder,
  Head,
  Host,
  InspectedBackbone,
  Loss,
  Named,
  Regularizer,
  Tensor,
} from "../types.ts";
import { scalarOf, targetFor } from "./loss_shapes.ts";
import { createGraphBuilder, type RecordedBuilder } from "./builder/builder.ts";
import type { BuildInfo } from "./builder/context.ts";
import type { Phase } from "./builder/options.ts";
import { trainsIn, trainsRule } from "./builder/parameters.ts";

/** A loss of a task with the output and target that it reads. */
export type TaskLoss = Readonly<
  { loss: Loss; output: string; target: string; weight: number; name: string; classes?: number | undefined }
>;

/** A regularizer under a unique name, with the tensors that it computed before the first step. */
export type PreparedRegularizer = Readonly<{
  name: string;
  regularizer: Regularizer;
  frozen: Named<Tensor<Float32Array>>;
}>;

/** Returns the name of the graph input for a regularizer's frozen tensor. */
export function frozenName(regularizer: string, name: string): string {
  return `${regularizer}/${name}`;
}

/** The parts and options of a program. */
export type ProgramOptions = Readonly<{
  mode: GraphBuilder["mode"];
  backbone: InspectedBackbone;
  heads: readonly Head[];
  losses: readonly TaskLoss[];
  attached: readonly AttachedAdapter[];
  /** Accelerators, which rewrite the graph in order; if one scales losses, a fed loss scale multiplies gradients. */
  accelerators?: readonly Accelerator[] | undefined;
  /** The host it will run on, for accelerators. */
  host?: Pick<Host, "provider" | "memoryBytes">;
  regularizers?: readonly PreparedRegularizer[] | undefined;
  /** False for a training graph without dropout and noise. */
  random?: boolean;
  labelSmoothing: number;
  checkpointing?: boolean;
  /** Whether a parameter trains; absent: adapters decide ({@link trainsRule}). */
  isTrainable?: (name: string, adapter: boolean) => boolean;
  /** Whether to output the heads' results in training, too. */
  withOutputs?: boolean;
  /** Whether to output hidden states, and attention probabilities. */
  outputHiddenStates?: boolean | undefined;
  outputAttentions?: boolean | undefined;
  /** The head outputs that are wanted if rows have labels; absent: all. */
  reads?: readonly string[] | undefined;
  /** Example targets of the collator, for the rank and dtype of each. */
  targets: Named<Tensor>;
  /** The names of the collator's fields; absent: those of `targets`. */
  fields?: readonly string[];
  phase?: Phase | undefined;
  /** The number of query blocks of causal attention. */
  queryBlocks?: number | undefined;
  /** The task's name, if several share a model. */
  taskName?: string | undefined;
}>;

/** The outputs with a trained parameter's gradient: whole, as rows to add up, or both. */
export type GradientOutput = Readonly<{
  parameter: string;
  dense: string | undefined;
  sparse: readonly Readonly<{ ids: string; rows: string }>[];
}>;

/** A built program. */
export type Program = Readonly<{
  graph: Graph;
  recorded: BuildInfo;
  /** The names of scalar outputs: the sum of each loss times its factor. */
  losses: readonly string[];
  gradients: readonly GradientOutput[];
  /** The names of the heads' outputs. */
  outputs: readonly string[];
}>;

/** The name of the graph input for the loss scale, if there is one, which multiplies all gradients. */
export const LOSS_SCALE = "lossScale";

/** Declares a scalar input: a factor of losses. */
function scalarInput(graph: Graph, name: string): Value {
  return graph.input(name, "float32", []);
}

/**
 * Builds a program. In training, each loss is multiplied by a fed factor (its weight divided by its count), so that
 * accumulation and terms with different divisors are exact.
 *
 * @throws AttuneError if a head lacks an output that a loss reads.
 */
export function buildProgram(request: ProgramOptions): Program {
  const { attached, targets } = request;
  const options: CompleteOptions = {
    checkpointing: false,
    isTrainable: trainsRule(attached),
    fields: Object.keys(targets),
    ...request,
  };
  const building = openProgram(options);
  const { graph, recorded } = building;
  const pass = building.forward();
  for (const [name, sum] of pass.sums) graph.output(`loss.${name}`, sum);
  const losses = pass.sums.map(([name]) => name);
  if (options.mode !== "train") {
    const outputs = addOutputs(building, pass, options);
    return { graph, recorded, losses, gradients: [], outputs };
  }
  checkLosses(pass, recorded, options);
  const objective: Objective = { losses, total: added(pass.sums) };
  addPenalties(building, options.attached, objective);
  addRegularizers(building, pass, objective);
  const gradients = addGradients(graph, recorded, objective.total, options);
  if (options.withOutputs) { for (const [name, value] of Object.entries(pass.outputs)) graph.output(name, value); }
  return { graph, recorded, losses, gradients, outputs: options.withOutputs ? Object.keys(pass.outputs) : [] };
}

type CompleteOptions = ProgramOptions & Required<Pick<ProgramOptions, "checkpointing" | "isTrainable" | "fields">>;

/** A program under construction. */
type Building =
  & Omit<RecordedBuilder, "inHead">
  & Readonly<{
    graph: Graph;
    regularizers: readonly FedRegularizer[];
    /** Builds a forward pass: the first one, or another for a regularizer. */
    forward(): Forward;
  }>;

/** A regularizer with its frozen tensors as graph inputs. */
type FedRegularizer = Readonly<{ name: string; regularizer: Regularizer; frozen: Named<Value> }>;

function openProgram(options: CompleteOptions): Building {
  const { backbone, heads } = options;
  const graph = new Graph(rewritesOf(options));
  const regularizers = feedRegularizers(graph, options);
  const builder = createGraphBuilder({
    ...options,
    graph,
    initializerRange: backbone.initializerRange,
    untied: backbone.untied,
    grows: backbone.decoderStartTokenId === undefined ? "input" : "decoder",
    shared: (name) => name in backbone.shapes || name.startsWith(`${backbone.baseModelPrefix}.`),
    around: regularizers.flatMap(({ name, regularizer, frozen }) => {
      const around = regularizer.around?.(backbone, frozen);
      return around ? [{ name, around }] : [];
    }),
  });
  const { build, inHead } = builder;
  const forward = (): Forward => {
    const states = backbone.forward(build);
    const outputs: Record<string, Value> = {};
    for (const head of heads) {
      graph.within("head", () => inHead(() => Object.assign(outputs, head.forward(build, states, backbone))));
    }
    return { states, outputs, sums: lossSums(build, outputs, options) };
  };
  return { ...builder, graph, regularizers, forward };
}

function rewritesOf({ accelerators = [], host, backbone }: ProgramOptions): readonly Rewrite[] {
  const { provider = "cpu", memoryBytes: bytes = Infinity } = host ?? {};
  const device = { provider, bytes, backbone };
  return accelerators.flatMap((accelerator) => accelerator.rewrite?.(device) ?? []);
}

function feedRegularizers(graph: Graph, { mode, regularizers = [] }: ProgramOptions): readonly FedRegularizer[] {
  return (mode === "train" ? regularizers : []).map(({ name, regularizer, frozen }) => ({
    name,
    regularizer,
    frozen: Object.fromEntries(
      Object.entries(frozen).map(([key, t]) => [key, graph.input(frozenName(name, key), "float32", t.dims)]),
    ),
  }));
}

/** Adds the outputs for evaluation and generation. Returns the names of the heads', and of states and attentions. */
function addOutputs(
  { graph, recorded }: Building,
  { states, outputs, sums }: Forward,
  options: ProgramOptions,
): string[] {
  const reads = sums.length > 0 ? options.reads : undefined;
  for (const [name, value] of Object.entries(outputs)) if (reads?.includes(name) ?? true) graph.output(name, value);
  for (const [name, value] of recorded.keyValueCache) graph.output(`kept.${name}`, value);
  if (options.outputHiddenStates) {
    const side = states.encoder ? "decoder" : "input";
    states.hiddenStates.forEach((value, i) =>
      graph.output(`hiddenStates.${i}`, f.reshape(value, ["batch", seqDim(side), ...value.shape.slice(1)]))
    );
  }
  if (options.outputAttentions) recorded.attentions.forEach((value, i) => graph.output(`attentions.${i}`, value));
  return [...graph.outputs.keys()].filter((name) => !name.startsWith("loss.") && !name.startsWith("kept."));
}

function checkLosses({ sums }: Forward, recorded: BuildInfo, { labelSmoothing, losses }: ProgramOptions): void {
  if (sums.length === 0) throw missing("engine", "a loss with labels", "the task");
  if (labelSmoothing > 0 && !recorded.smoothed()) {
    const why = `no loss of this task supports label smoothing (${losses.map((l) => l.loss.name)})`;
    throw unsupported("spec", "training.labelSmoothingFactor", labelSmoothing, why);
  }
}

/** The training objective so far: the names of its terms, and their sum. */
type Objective = { readonly losses: string[]; total: Value };

function addPenalties({ graph, within }: Building, attached: readonly AttachedAdapter[], objective: Objective): void {
  for (const adapter of attached) {
    const term = adapter.penalty && within(adapter, (b) => adapter.penalty?.(b));
    const name = `${adapter.name ?? "adapter"}.penalty`;
    if (term) addTerm(objective, name, term, scalarInput(graph, lossFactorInput(name)));
  }
}

function addRegularizers(building: Building, first: Forward, objective: Objective): void {
  const { graph, build, forward, asRegularizer } = building;
  for (const { name, regularizer, frozen } of building.regularizers) {
    if (!regularizer.term) continue;
    const share = scalarInput(graph, lossFactorInput(name));
    const passOf = ({ states, outputs, sums }: Forward): ForwardPass => ({
      states,
      outputs,
      loss: f.div(added(sums), share),
    });
    const again = (): ForwardPass => passOf(asRegularizer(undefined, forward));
    const context = { ...passOf(first), frozen, again };
    const term = graph.within(
      `regularizer.${name}`,
      () => asRegularizer(name, () => regularizer.term?.(build, context)),
    );
    if (term) addTerm(objective, name, term, share);
  }
}

// Terms besides the losses are averaged over the step's micro-batches: `share` is 1 / their number.
function addTerm(objective: Objective, name: string, term: Value, share: Value): void {
  const scaled = f.mul(f.reshape(term, []), share);
  scaled.graph.output(`loss.${name}`, scaled);
  objective.losses.push(name);
  objective.total = f.add(objective.total, scaled);
}

/** One forward pass with its losses by name. */
type Forward = Readonly<{ states: BackboneOutput; outputs: Named<Value>; sums: readonly (readonly [string, Value])[] }>;

function added(sums: Forward["sums"]): Value {
  return sums.map(([, sum]) => sum).reduce((a, b) => f.add(a, b));
}

/** Builds the task's losses by name, each times its fed factor. */
function lossSums(build: GraphBuilder, outputs: Named<Value>, options: ProgramOptions): Forward["sums"] {
  const { graph } = build;
  return options.losses.flatMap(({ loss, output, target, name, classes }) => {
    const shaped = options.targets[target];
    if (!shaped) return []; // rows without labels: only outputs are wanted
    const value = outputs[output];
    if (!value) throw missing("engine", `output "${output}" (there are ${Object.keys(outputs)})`, `loss ${name}`);
    const rows = loss.per === "sequence" ? "sequences" : value.shape[0] ?? "sequences";
    const count = build.labelled(target)?.shape[0] ?? rows;
    const labels = graph.input(target, shaped.dtype, [count, ...shaped.dims.slice(1)]);
    const weight = rowWeights(graph, loss, options.targets[weightInput(target)], target, count);
    const sum = graph.within(
      `loss.${name}`,
      () => {
        const sum = loss.sum(build, value, targetFor(loss, value, labels, classes), weight);
        return f.mul(scalarOf(loss, sum), scalarInput(graph, lossFactorInput(name)));
      },
    );
    return [[name, sum] as const];
  });
}

/** Returns the weights of a target's rows, if rows have weights. Throws AttuneError if the loss does not read them. */
function rowWeights(
  graph: Graph,
  loss: Loss,
  stored: Tensor | undefined,
  target: string,
  count: Dim,
): Value | undefined {
  if (!stored) return undefined;
  if (loss.weighted) return graph.input(weightInput(target), "float32", [count]);
  throw unsupported(loss.name, "loss", loss.name, 'it does not read the weights of rows (the column "weight")');
}

function addGradients(graph: Graph, recorded: BuildInfo, total: Value, options: CompleteOptions): GradientOutput[] {
  const trained = [...recorded.parameters.values()].filter((p) => trainsIn(p, options.isTrainable));
  const tables = new Set(trained.filter((p) => p.ids.length > 0).map((p) => p.value));
  const seed = options.accelerators?.some((a) => a.lossScale) ? scalarInput(graph, LOSS_SCALE) : undefined;
  const results = gradients(total, trained.map((p) => p.value), tables, seed);
  const rowNames = new Map<number, string>();
  return trained.flatMap((p, i): GradientOutput[] => {
    const { dense, sparse } = results[i] ?? { dense: undefined, sparse: [] };
    // A parameter that does not affect the losses does not train (and does not decay).
    if (!dense && sparse.length === 0) return [];
    const name = `d.${p.name}`;
    if (dense) graph.output(name, f.reshape(dense, p.shape));
    return [{
      parameter: p.name,
      dense: dense ? name : undefined,
      sparse: sparse.map(({ indices, rows }) => {
        // Embeddings that are added up (of tokens, positions, types) share one gradient tensor.
        const ids = idsInput(graph, indices);
        const known = rowNames.get(rows.id) ?? `${name}.rows${ids === "input_ids" ? "" : `.${ids}`}`;
        if (!rowNames.has(rows.id)) graph.output(known, rows);
        rowNames.set(rows.id, known);
        return { ids, rows: known };
      }),
    }];
  });
}

/** Returns the name of the input that gathered ids come from. */
function idsInput(graph: Graph, indices: Value): string {
  let ids = indices;
  for (let node = graph.producer(ids); node; node = graph.producer(ids)) ids = node.inputs[0] ?? ids;
  const origin = graph.origin(ids);
  return origin?.kind === "input" ? origin.name : "";
}
