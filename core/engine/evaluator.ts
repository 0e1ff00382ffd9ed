/**
 * Outputs and losses of batches, with weights as they stand: its own session over the same mapped files.
 * @module
 */
import { sizeOf, type Tensor } from "../tensor.ts";
import type {
  AttachedAdapter,
  Batch,
  Checkpoint,
  Head,
  Host,
  InspectedBackbone,
  Named,
  Ort,
  OrtTensor,
} from "../types.ts";
import type { Feeder } from "./feeds.ts";
import type { Generator } from "./generator.ts";
import { buildProgram, lossScaleInput, type Program, type TaskLoss, trainsRule } from "./program.ts";
import { openSession, type Session } from "./sessions.ts";
import type { InitialWeights } from "./weights.ts";

/** What a batch gave: outputs, and sum and count of each loss. */
export type BatchResult = Readonly<{
  outputs: Named<Tensor<Float32Array>>;
  losses: Named<Readonly<{ sum: number; count: number }>>;
}>;

/** Computes batches. */
export interface Evaluator {
  /** Without labels only outputs come back. `weights`: fed parameters, in place of those the evaluator has. */
  run(batch: Batch, labelled: boolean, weights?: Readonly<Record<string, OrtTensor>>): Promise<BatchResult>;
  /** What goes on with prompts, with the same weights; closed with the evaluator. */
  generator(): Promise<Generator>;
  /** Gives the sessions' memory back; they are opened again where they are needed again. */
  close(): Promise<void>;
}

/** Options of an evaluator. `fed`, `weights`: the trained parameters, and their tensors. */
export type EvaluatorOptions = Readonly<{
  host: Host;
  checkpoint: Checkpoint;
  backbone: InspectedBackbone;
  heads: readonly Head[];
  losses: readonly TaskLoss[];
  attached: readonly AttachedAdapter[];
  initial: InitialWeights;
  fed: ReadonlyMap<string, Readonly<{ rows?: number }>>;
  weights: Readonly<Record<string, OrtTensor>>;
  feeder: Feeder;
  labelSmoothing: number;
  reads?: readonly string[] | undefined;
  /** The task's name, where several share a model. */
  taskName?: string;
  outputHiddenStates?: boolean;
  outputAttentions?: boolean;
  /** Frozen weights up to this many bytes are packed for generation, which is faster and one more copy of them. */
  prepackLimit?: number;
}>;

/** The same evaluator for several users, each of which closes it: the sessions stay open. */
export function shared(evaluator: Evaluator): Evaluator {
  const close = (): Promise<void> => Promise.resolve();
  return { ...evaluator, close, generator: async () => ({ ...await evaluator.generator(), close }) };
}

/** An evaluator; its sessions are opened when they are first asked for. */
export function createEvaluator(options: EvaluatorOptions): Evaluator {
  const { host, checkpoint, initial, fed, feeder } = options;
  const lib = host.lib as Ort;
  let generator: Generator | undefined;
  const known = new Map<boolean, Readonly<{ program: Program; session: Session }>>();
  const opened = async (batch: Batch, labelled: boolean): Promise<Readonly<{ program: Program; session: Session }>> => {
    const found = known.get(labelled);
    if (found) return found;
    const program = buildProgram({
      ...options,
      mode: "evaluate",
      checkpointing: false,
      isTrainable: trainsRule(options.attached),
      targets: labelled ? batch.inputs : {},
      given: Object.keys(batch.inputs),
    });
    const session = await openSession({
      host,
      graph: program.graph,
      parameters: program.recorded.parameters,
      checkpoint,
      initial,
      fed,
      // Weights stay mapped: evaluation is short, and packing would be one more copy of them.
      prepack: false,
      arena: false,
      compact: true,
    });
    const own = { program, session };
    known.set(labelled, own);
    return own;
  };
  return {
    generator: async () => (generator ??= (await import("./generator.ts")).createGenerator(options)),
    run: async (batch, labelled, weights = options.weights) => {
      const { program, session } = await opened(batch, labelled);
      const extra: Record<string, OrtTensor> = {};
      for (const [name, tensor] of Object.entries(weights)) if (session.feeds.has(name)) extra[name] = tensor;
      for (const name of program.losses) {
        extra[lossScaleInput(name)] = new lib.Tensor("float32", Float32Array.of(1), []);
      }
      const results = await session.run(await feeder.feeds(session, program.recorded, batch, extra, undefined));
      const outputs: Record<string, Tensor<Float32Array>> = {};
      for (const name of program.outputs) {
        const result = results[name];
        if (result) outputs[name] = { dtype: "float32", dims: result.dims, data: result.data as Float32Array };
      }
      const losses = options.losses.filter((l) => program.losses.includes(l.name)).map((l) => [
        l.name,
        { sum: l.weight * scalarOf(results[`loss.${l.name}`]), count: l.loss.count(batch.inputs[l.target] as Tensor) },
      ]);
      return { outputs, losses: Object.fromEntries(losses) };
    },
    close: async () => {
      for (const { session } of known.values()) await session.close();
      known.clear();
      await generator?.close();
    },
  };
}

/** Bytes of the frozen matrices as a session packs them; tables are gathered from and never packed. */
export function frozenBytes(program: Program, fed: ReadonlyMap<string, unknown>): number {
  let bytes = 0;
  for (const p of program.recorded.parameters.values()) {
    if (!fed.has(p.name) && p.ids.length === 0) bytes += 4 * sizeOf(p.shape);
  }
  return bytes;
}

/** Bytes of all frozen matrices: those of a table that is a head, too, are packed where they are. */
export function packedBytes(program: Program, fed: ReadonlyMap<string, unknown>): number {
  const matrices = [...program.recorded.parameters.values()].filter((p) => !fed.has(p.name) && p.shape.length > 1);
  return matrices.reduce((bytes, p) => bytes + 4 * sizeOf(p.shape), 0);
}

/** The one number of a scalar result. */
export function scalarOf(tensor: OrtTensor | undefined): number {
  return (tensor?.data as Float32Array | undefined)?.[0] ?? NaN;
}
