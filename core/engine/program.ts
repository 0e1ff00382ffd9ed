/**
 * A program: the graph of one task in one mode, from the model's inputs to losses and gradients.
 * @module
 */
import { missing } from "../errors.ts";
import * as f from "../graph/functions.ts";
import { seqDim } from "../graph/dims.ts";
import { Graph, type Value } from "../graph/graph.ts";
import { gradients } from "../graph/vjp.ts";
import type { Attached, Build, Head, Loss, Named, Regularizer, Tensor, Trunk } from "../types.ts";
import { createBuild, type Phase, type Recorded, scalarInput } from "./build.ts";

/** A loss of a task with what it reads. */
export type TaskLoss = Readonly<{ loss: Loss; output: string; target: string; weight: number; name: string }>;

/** What a program is made of. */
export type ProgramOptions = Readonly<{
  mode: Build["mode"];
  trunk: Trunk;
  heads: readonly Head[];
  losses: readonly TaskLoss[];
  attached: readonly Attached[];
  regularizers?: readonly Regularizer[];
  labelSmoothing: number;
  checkpointing: boolean;
  trains: (name: string, adapter: boolean) => boolean;
  /** Names further outputs: hidden states, attention probabilities. */
  outputHiddenStates?: boolean;
  outputAttentions?: boolean;
  /** Outputs of the heads that are wanted where rows have labels; absent: all. */
  reads?: readonly string[] | undefined;
  /** Targets as the collator makes them: the rank of each. */
  targets: Named<Tensor>;
  phase?: Phase | undefined;
  /** The task's name, where several share a model. */
  taskName?: string;
}>;

/** Where a trained parameter's gradient comes out: whole, as rows to add up, or both. */
export type GradientOutput = Readonly<{
  parameter: string;
  dense: string | undefined;
  sparse: readonly Readonly<{ ids: string; rows: string }>[];
}>;

/** A built program. */
export type Program = Readonly<{
  graph: Graph;
  recorded: Recorded;
  /** Scalars of the graph: Σ of each loss times its factor. */
  losses: readonly string[];
  gradients: readonly GradientOutput[];
  /** Outputs of the heads. */
  outputs: readonly string[];
}>;

/** The graph input that a loss's factor is fed under. */
export function factorName(loss: string): string {
  return `factor.${loss}`;
}

/** Whether a parameter trains, by the last adapter that has an opinion; without adapters everything does. */
export function trainsRule(attached: readonly Attached[]): (name: string, adapter: boolean) => boolean {
  return (name, adapter) => {
    if (adapter) return true;
    for (const a of attached.toReversed()) {
      const answer = a.trains?.(name);
      if (answer !== undefined) return answer;
    }
    return attached.length === 0;
  };
}

/**
 * Builds a program. In training, each loss is multiplied by a factor that the host feeds (its weight over its count),
 * so that accumulation and terms with different denominators are exact.
 *
 * @throws AttuneError where a head lacks an output that a loss reads.
 */
export function buildProgram(options: ProgramOptions): Program {
  const graph = new Graph();
  const { trunk } = options;
  const { build, recorded, within, inHead } = createBuild({
    ...options,
    graph,
    initializerRange: trunk.initializerRange,
    grows: trunk.decoderStart === undefined ? "input" : "decoder",
    shared: (name) => name in trunk.shapes || name.startsWith(`${trunk.baseModelPrefix}.`),
  });
  const states = options.trunk.forward(build);
  const outputs: Record<string, Value> = {};
  for (const head of options.heads) {
    graph.within("head", () => inHead(() => Object.assign(outputs, head.forward(build, states, options.trunk))));
  }
  const training = options.mode === "train";
  const losses: string[] = [];
  let total: Value | undefined;
  for (const { loss, output, target, name } of options.losses) {
    const shaped = options.targets[target];
    if (!shaped) continue; // rows without labels: only outputs are wanted
    const value = outputs[output];
    if (!value) throw missing("engine", `output "${output}" (there are ${Object.keys(outputs)})`, `loss ${name}`);
    const rows = loss.per === "sequence" ? "sequences" : value.shape[0] ?? "sequences";
    const count = build.labelled(target)?.shape[0] ?? rows;
    const labels = graph.input(target, shaped.dtype, [count, ...shaped.dims.slice(1)]);
    const sum = graph.within(
      `loss.${name}`,
      () => f.mul(f.reshape(loss.sum(build, value, labels), []), scalarInput(graph, factorName(name))),
    );
    graph.output(`loss.${name}`, sum);
    losses.push(name);
    total = total ? f.add(total, sum) : sum;
  }
  if (!training) {
    const wanted = losses.length > 0 ? options.reads : undefined;
    for (const [name, value] of Object.entries(outputs)) if (wanted?.includes(name) ?? true) graph.output(name, value);
    for (const [name, value] of recorded.kept) graph.output(`kept.${name}`, value);
    if (options.outputHiddenStates) {
      const side = states.encoder ? "decoder" : "input";
      states.all.forEach((value, i) =>
        graph.output(`hiddenStates.${i}`, f.reshape(value, ["batch", seqDim(side), ...value.shape.slice(1)]))
      );
    }
    if (options.outputAttentions) recorded.attentions.forEach((value, i) => graph.output(`attentions.${i}`, value));
    return {
      graph,
      recorded,
      losses,
      gradients: [],
      outputs: [...graph.outputs.keys()].filter((n) => !n.startsWith("loss.") && !n.startsWith("kept.")),
    };
  }
  if (!total) throw missing("engine", "a loss with labels", "the task");
  for (const attached of options.attached) {
    const term = attached.penalty && within(attached, (b) => attached.penalty?.(b));
    if (!term) continue;
    const name = `${attached.name ?? "adapter"}.penalty`;
    const scaled = f.mul(f.reshape(term, []), scalarInput(graph, factorName(name)));
    graph.output(`loss.${name}`, scaled);
    losses.push(name);
    total = f.add(total, scaled);
  }
  return { graph, recorded, losses, gradients: addGradients(graph, recorded, total, options), outputs: [] };
}

function addGradients(graph: Graph, recorded: Recorded, total: Value, options: ProgramOptions): GradientOutput[] {
  const trained = [...recorded.parameters.values()].filter((p) => !p.frozen && options.trains(p.local, p.adapter));
  const tables = new Set(trained.filter((p) => p.ids.length > 0).map((p) => p.value));
  const found = gradients(total, trained.map((p) => p.value), tables);
  const rowNames = new Map<number, string>();
  return trained.flatMap((p, i): GradientOutput[] => {
    const { dense, sparse } = found[i] ?? { dense: undefined, sparse: [] };
    // A parameter that no path leads to does not train (and does not decay).
    if (!dense && sparse.length === 0) return [];
    const name = `d.${p.name}`;
    if (dense) graph.output(name, f.reshape(dense, p.shape));
    return [{
      parameter: p.name,
      dense: dense ? name : undefined,
      sparse: sparse.map(({ indices, rows }) => {
        // Tables that are added up (tokens, positions, types) share one gradient.
        const ids = idsInput(graph, indices);
        const known = rowNames.get(rows.id) ?? `${name}.rows${ids === "input_ids" ? "" : `.${ids}`}`;
        if (!rowNames.has(rows.id)) graph.output(known, rows);
        rowNames.set(rows.id, known);
        return { ids, rows: known };
      }),
    }];
  });
}

/** The input that gathered ids come from. */
function idsInput(graph: Graph, indices: Value): string {
  let ids = indices;
  for (let node = graph.producer(ids); node; node = graph.producer(ids)) ids = node.inputs[0] ?? ids;
  const origin = graph.origin(ids);
  return origin?.kind === "input" ? origin.name : "";
}
