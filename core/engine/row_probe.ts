/**
 * Probes of single batches before the first step: losses, gradients and outputs with initial values and without
 * dropout, in a temporary session.
 */
import { sizeOf, type Tensor } from "../base/tensor.ts";
import type { Accelerator, Batch, Checkpoint, Host, InspectedBackbone, Named, Ort, OrtTensor } from "../types.ts";
import { compile, lossFactors, lossIn, outputsIn } from "./compile.ts";
import type { EngineTask } from "./engine_options.ts";
import { createFeeder, dimsWith } from "./feeds.ts";
import { cutModel } from "./model_parts.ts";
import { buildProgram, type Program } from "./program.ts";
import { createRecomputer } from "./recompute.ts";
import { prepareSession } from "./sessions.ts";
import { addTableRows } from "./table_rows.ts";
import type { InitialWeights } from "./weights.ts";

/** Options of a probe. */
export type RowProbeOptions = Readonly<{
  host: Host;
  checkpoint: Checkpoint;
  backbone: InspectedBackbone;
  accelerators?: readonly Accelerator[] | undefined;
  labelSmoothing: number;
  task: Pick<EngineTask, "name" | "heads" | "losses" | "attached" | "example">;
  initial: InitialWeights;
  /** Whether the heads' outputs are wanted, too. */
  withOutputs?: boolean;
  /** Whether to recompute as much as possible in the backward pass, to save memory. */
  sparing?: boolean;
  /** About how many bytes of weights in files `probeAll` has in memory at a time; absent: 64 MiB. */
  part?: number;
}>;

/** The result of a batch: losses times their factors, gradients by parameter, outputs by name. */
export type Probed = Readonly<{
  losses: Named<number>;
  gradients: Named<Float32Array>;
  outputs: Named<Tensor<Float32Array>>;
}>;

/** An open probe. */
export interface RowProbe {
  readonly program: Program;
  /** Runs a batch. `factors`: of each loss; a loss that is not named counts as 0. */
  run(batch: Batch, factors: Named<number>): Promise<Probed>;
  close(): Promise<void>;
}

/** Builds the training program of a probe. */
export function buildProbed(options: Omit<RowProbeOptions, "initial">): Program {
  const { task } = options;
  return buildProgram({
    ...options,
    ...task,
    taskName: task.name,
    regularizers: [],
    mode: "train",
    checkpointing: options.sparing === true,
    random: false,
    targets: task.example.inputs,
  });
}

/** Opens a probe. */
export async function openRowProbe(
  options: RowProbeOptions,
  program: Program = buildProbed(options),
): Promise<RowProbe> {
  const { host, task } = options;
  const feeder = createFeeder(host.lib as Ort, new Map(), host.kernels);
  const recomputed = options.sparing ? leastOf(program, task.example) : undefined;
  const { run, close } = await compile(
    { ...options, ...task, taskName: task.name, fed: new Map<string, never>(), feeder },
    // Closing frees the whole arena; without one, the heap would retain much more memory after the runs.
    { program, recomputed, memory: "mapped" },
    host,
  );
  return {
    program,
    run: async (batch, factors) => {
      const results = await run(batch, { factorOf: (name) => factors[name] ?? 0 });
      return probed(program, batch, results);
    },
    close,
  };
}

/** If weights in files take more than twice this many bytes, the model runs in parts of about this size. */
const PART = 2 ** 26;

/**
 * Probes batches in order, in as little memory as possible: the model's weights in files are loaded in parts, each of
 * which runs over all batches and keeps the values that later parts read. `factors`: of each batch's losses;
 * `seeOutputs` receives outputs as they are computed, and may take over their memory.
 */
export async function probeAll(
  options: RowProbeOptions,
  batches: readonly Batch[],
  factors: readonly Named<number>[],
  seeOutputs: (outputs: Probed["outputs"], i: number) => void,
  see: (probed: Omit<Probed, "outputs">) => void,
): Promise<void> {
  const { host, checkpoint, initial, task: { example }, part: limit = PART } = options;
  const program = buildProbed({ ...options, sparing: true });
  const { lowered, shared, mappedBytes, open } = await prepareSession({
    host,
    graph: program.graph,
    parameters: program.recorded.parameters,
    checkpoint,
    initial,
    fed: new Map<string, never>(),
    products: checkpoint.products,
    recomputed: leastOf(program, example),
    prepack: false,
    // Closing frees the whole arena; without one, the heap would retain much more memory after the runs.
    arena: true,
  });
  // Gradients are kept until the last part has run.
  const waiting = batches.length * gradientBytes(program);
  const dims = dimsWith(program.graph.inputs.keys(), example);
  const parts = mappedBytes > 2 * limit && waiting < PART ? cutModel(lowered, dims, limit) : [lowered.model];
  const feeder = createFeeder(host.lib as Ort, new Map(), host.kernels);
  const known: Record<string, OrtTensor>[] = batches.map(() => ({}));
  const results = new Set([...lowered.outputs.keys()].filter((name) => !program.outputs.includes(name)));
  for (const [p, part] of parts.entries()) {
    const session = await open(part);
    const later = new Set(parts.slice(p + 1).flatMap(({ graph }) => graph.inputs.map(({ name }) => name)));
    try {
      for (const [i, batch] of batches.entries()) {
        const factorOf = (name: string): number => factors[i]?.[name] ?? 0;
        const scalars = lossFactors(host.lib as Ort, program, lowered.feeds, factorOf);
        const fed = await feeder.feeds(lowered, program.recorded, batch, scalars, undefined);
        const there = { ...shared, ...fed, ...known[i] };
        const read = part.graph.inputs.flatMap(({ name }) => there[name] ? [[name, there[name]] as const] : []);
        const outputs = await session.run(Object.fromEntries(read), {});
        known[i] = Object.fromEntries(
          Object.entries({ ...known[i], ...outputs }).filter(([name]) => later.has(name) || results.has(name)),
        );
        seeOutputs(outputsIn(outputs, program), i);
        if (p < parts.length - 1) continue;
        see(probed(program, batch, known[i] ?? {}));
        known[i] = {};
      }
    } finally {
      await session.release();
    }
  }
}

function gradientBytes({ gradients, recorded: { parameters } }: Program): number {
  return gradients.reduce((n, { parameter }) => n + 4 * sizeOf(parameters.get(parameter)?.shape ?? []), 0);
}

/** Returns the values to recompute so that a step takes as little memory as possible. */
function leastOf(program: Program, example: Batch): ReadonlySet<number> {
  return createRecomputer(program, dimsWith(program.graph.inputs.keys(), example))({ bytes: 0, moreWork: 0 }).values;
}

function probed(program: Program, batch: Batch, results: Readonly<Record<string, OrtTensor>>): Probed {
  return {
    losses: Object.fromEntries(program.losses.map((name) => [name, lossIn(results, name)])),
    gradients: wholeGradients(program, batch, results),
    outputs: outputsIn(results, program),
  };
}

/** Returns gradients of whole parameters, with the row gradients of tables added in. */
function wholeGradients(
  { gradients, recorded }: Program,
  batch: Batch,
  results: Readonly<Record<string, OrtTensor>>,
): Named<Float32Array> {
  return Object.fromEntries(gradients.map(({ parameter, dense, sparse }) => {
    const p = recorded.parameters.get(parameter);
    const shape = p?.shape ?? [];
    const gradient = dense === undefined ? new Float32Array(sizeOf(shape)) : results[dense]?.data as Float32Array;
    for (const { ids, rows } of sparse) {
      addTableRows(
        gradient,
        batch.inputs[ids]?.data as Int32Array,
        undefined,
        results[rows]?.data as Float32Array,
        sizeOf(shape.slice(1)),
        p?.paddingIdx,
      );
    }
    return [parameter, gradient];
  }));
}
