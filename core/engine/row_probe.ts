/**
 * Losses, gradients and outputs of single batches before the first step, without dropout: from first values, in a session
 * that is closed again.
 * @module
 */
import { sizeOf, type Tensor } from "../base/tensor.ts";
import type { Accelerator, Batch, Checkpoint, Host, InspectedBackbone, Named, Ort, OrtTensor } from "../types.ts";
import { compile, lossIn, outputsIn } from "./compile.ts";
import type { EngineTask } from "./engine_options.ts";
import { createFeeder, dimsWith } from "./feeds.ts";
import { buildProgram, type Program } from "./program.ts";
import { createRecomputer } from "./recompute.ts";
import { addTableRows } from "./table_rows.ts";
import type { InitialWeights } from "./weights.ts";

/** What is probed. */
export type RowProbeOptions = Readonly<{
  host: Host;
  checkpoint: Checkpoint;
  backbone: InspectedBackbone;
  accelerators?: readonly Accelerator[] | undefined;
  labelSmoothing: number;
  task: Pick<EngineTask, "name" | "heads" | "losses" | "attached" | "example">;
  initial: InitialWeights;
  /** Whether outputs of the heads are wanted too. */
  withOutputs?: boolean;
  /** Takes as little memory as it can: what can be is computed anew for the backward pass. */
  sparing?: boolean;
}>;

/** What a batch gave: losses times the factors that they were given, their gradients by parameter, outputs by name. */
export type Probed = Readonly<{
  losses: Named<number>;
  gradients: Named<Float32Array>;
  outputs: Named<Tensor<Float32Array>>;
}>;

/** A session that is probed. */
export interface RowProbe {
  readonly program: Program;
  /** `factors`: of each loss; one that is not named counts nothing. */
  run(batch: Batch, factors: Named<number>): Promise<Probed>;
  close(): Promise<void>;
}

/** The training program that is probed. */
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
  const recomputed = options.sparing
    ? createRecomputer(program, dimsWith(program.graph.inputs.keys(), task.example))({ bytes: 0, moreWork: 0 }).values
    : undefined;
  const { run, close } = await compile(
    { ...options, ...task, taskName: task.name, fed: new Map<string, never>(), feeder },
    // Closing gives the arena back whole; without one the heap keeps what is left of the runs, which is much more.
    { program, recomputed, memory: "mapped" },
    host,
  );
  return {
    program,
    run: async (batch, factors) => {
      const results = await run(batch, { factorOf: (name) => factors[name] ?? 0 });
      return {
        losses: Object.fromEntries(program.losses.map((name) => [name, lossIn(results, name)])),
        gradients: wholeGradients(program, batch, results),
        outputs: outputsIn(results, program),
      };
    },
    close,
  };
}

/** Gradients of whole parameters, rows of tables added where they belong. */
function wholeGradients(
  { gradients, recorded }: Program,
  batch: Batch,
  results: Readonly<Record<string, OrtTensor>>,
): Named<Float32Array> {
  return Object.fromEntries(gradients.map(({ parameter, dense, sparse }) => {
    const p = recorded.parameters.get(parameter);
    const shape = p?.shape ?? [];
    const whole = dense === undefined ? new Float32Array(sizeOf(shape)) : results[dense]?.data as Float32Array;
    for (const { ids, rows } of sparse) {
      addTableRows(
        whole,
        batch.inputs[ids]?.data as Int32Array,
        undefined,
        results[rows]?.data as Float32Array,
        sizeOf(shape.slice(1)),
        p?.paddingIdx,
      );
    }
    return [parameter, whole];
  }));
}
