/**
 * Programs that run: a task in one mode, built, lowered, and opened over its weights. Training, evaluation, generation
 * and probes of single batches all open theirs here.
 */
import { lossFactorInput } from "../graph/graph.ts";
import type { Batch, Checkpoint, Host, Named, Ort, OrtTensor, Tensor } from "../types.ts";
import type { Feeder, RandomContext } from "./feeds.ts";
import { buildProgram, LOSS_SCALE, type Program, type ProgramOptions } from "./program.ts";
import { openSession, type Session, type SessionOptions } from "./sessions.ts";
import type { InitialWeights } from "./weights.ts";

/** What the programs of a task are built of: the model, with its heads, adapters and losses. */
export type BuiltParts = Pick<
  ProgramOptions,
  "backbone" | "heads" | "losses" | "attached" | "accelerators" | "labelSmoothing" | "taskName"
>;

/** What they run on besides. */
export type ModelParts =
  & BuiltParts
  & Readonly<{
    checkpoint: Checkpoint;
    initial: InitialWeights;
    /** The parameters that every run is fed, since they train, with the rows of tables that were made smaller. */
    fed: SessionOptions["fed"];
    feeder: Feeder;
  }>;

/**
 * What a session does with its weights, and with what it has computed. "compact": weights stay where they are mapped,
 * and integers as they are stored where memory is scarce; behind a run all is given back. "mapped": they stay there;
 * the memory of a run is kept for the next one. "packed": they are packed for the matrix products, which is faster, and
 * one more copy of them. "decoded": those of 16 bits become float32 first, once rather than in each run.
 */
export type SessionMemory = "compact" | "mapped" | "packed" | "decoded";

const memories: Readonly<
  Record<SessionMemory, Pick<SessionOptions, "prepack" | "arena" | "compact" | "decoded">>
> = {
  compact: { prepack: false, arena: false, compact: true },
  mapped: { prepack: false, arena: true },
  packed: { prepack: true, arena: true },
  decoded: { prepack: true, arena: true, decoded: true },
};

/** How a program is compiled: as it is built, or the program, where it was built before. */
export type How =
  & (Omit<ProgramOptions, keyof BuiltParts | "host"> | Readonly<{ program: Program }>)
  & Readonly<{
    memory: SessionMemory | ((program: Program) => SessionMemory);
    /** Values that the backward pass makes anew instead of keeping them. */
    recomputed?: ReadonlySet<number> | undefined;
  }>;

/** Tensors by name, as a session gives them. */
export type Results = Readonly<Record<string, OrtTensor>>;

/** What a run is given besides its batch. */
export type RunOptions = Readonly<{
  /** Inputs by name, such as weights; those that the program does not have are passed over. */
  inputs?: Named<OrtTensor>;
  /** What a loss is multiplied by; absent: 1. */
  factorOf?: (loss: string) => number;
  /** What losses are multiplied by where gradients have few bits. */
  lossScale?: number;
  /** What masks depend on; absent: there are none. */
  moment?: RandomContext;
  /** Where results are written; null: where the runtime likes. Absent: all outputs are wanted so. */
  fetches?: Readonly<Record<string, OrtTensor | null>>;
}>;

/** A program with its session. */
export interface CompiledProgram {
  readonly program: Program;
  readonly session: Session;
  run(batch: Batch, options?: RunOptions): Promise<Results>;
  close(): Promise<void>;
}

/** Compiles a program. Throws AttuneError if the host has no onnxruntime, or a tensor does not fit its config. */
export async function compile(model: ModelParts, how: How, host: Host): Promise<CompiledProgram> {
  const program = "program" in how ? how.program : buildProgram({ ...partsOf(model), ...how, host });
  const { checkpoint, initial, fed, feeder } = model;
  const session = await openSession({
    host,
    graph: program.graph,
    parameters: program.recorded.parameters,
    checkpoint,
    initial,
    fed,
    ...memories[typeof how.memory === "string" ? how.memory : how.memory(program)],
    ...(how.recomputed ? { recomputed: how.recomputed } : {}),
    // Others compute with what training has made, as it is.
    products: program.gradients.length > 0 ? checkpoint.products : undefined,
  });
  return {
    program,
    session,
    run: async (batch, { inputs = {}, factorOf = () => 1, lossScale = 1, moment, fetches } = {}) => {
      const extra: Record<string, OrtTensor> = {};
      for (const [name, tensor] of Object.entries(inputs)) if (session.feeds.has(name)) extra[name] = tensor;
      Object.assign(extra, lossFactors(host.lib as Ort, program, session.feeds, factorOf, lossScale));
      return await session.run(await feeder.feeds(session, program.recorded, batch, extra, moment), fetches);
    },
    close: () => session.close(),
  };
}

/** What the losses of a program are multiplied by, as it is fed; `feeds`: what its session is fed at all. */
export function lossFactors(
  { Tensor }: Ort,
  { losses }: Program,
  feeds: Session["feeds"],
  factorOf: (loss: string) => number,
  lossScale: number = 1,
): Record<string, OrtTensor> {
  const scalar = (value: number): OrtTensor => new Tensor("float32", Float32Array.of(value), []);
  return {
    ...Object.fromEntries(losses.map((name) => [lossFactorInput(name), scalar(factorOf(name))])),
    ...(feeds.has(LOSS_SCALE) ? { [LOSS_SCALE]: scalar(lossScale) } : {}),
  };
}

/** A model's own parts: how a program is built says nothing else. */
function partsOf(model: BuiltParts): BuiltParts {
  const { backbone, heads, losses, attached, accelerators, labelSmoothing, taskName } = model;
  return { backbone, heads, losses, attached, accelerators, labelSmoothing, taskName };
}

/** The sum of a loss that a run gave, times its factor. */
export function lossIn(results: Results, loss: string): number {
  return (results[`loss.${loss}`]?.data as Float32Array | undefined)?.[0] ?? NaN;
}

/** The head outputs in the results of a session run. */
export function outputsIn(results: Results, { outputs }: Program): Named<Tensor<Float32Array>> {
  return Object.fromEntries(outputs.flatMap((name) => {
    const result = results[name];
    return result ? [[name, { dtype: "float32", dims: result.dims, data: result.data as Float32Array }]] : [];
  }));
}
