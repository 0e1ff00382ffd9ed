/**
 * Compilation of programs: a task in one mode is built, lowered, and opened as a session over its weights. Training,
 * evaluation, generation and probes of single batches all open their sessions here.
 */
import { lossFactorInput } from "../graph/graph.ts";
import type { Batch, Checkpoint, Host, Named, Ort, OrtTensor, Tensor } from "../types.ts";
import type { Feeder, RandomContext } from "./feeds.ts";
import { buildProgram, LOSS_SCALE, type Program, type ProgramOptions } from "./program.ts";
import { openSession, type Session, type SessionOptions } from "./sessions.ts";
import type { InitialWeights } from "./weights.ts";

/** The parts that a task's programs are built from: the model with its heads, adapters and losses. */
export type BuiltParts = Pick<
  ProgramOptions,
  "backbone" | "heads" | "losses" | "attached" | "accelerators" | "labelSmoothing" | "taskName"
>;

/** These parts with the weights that programs run on. */
export type ModelParts =
  & BuiltParts
  & Readonly<{
    checkpoint: Checkpoint;
    initial: InitialWeights;
    /** The parameters that are fed in every run because they train, with the number of rows of shortened tables. */
    fed: SessionOptions["fed"];
    feeder: Feeder;
  }>;

/**
 * How a session uses memory. "compact": weights stay in mapped files, quantized ones stay quantized if memory is
 * scarce, and the memory of a run is freed after it. "mapped": weights stay in mapped files; the memory of a run is
 * kept for the next one. "packed": weights are also packed for matrix products, which is faster but takes another copy
 * of them. "decoded": like "packed", with 16-bit weights converted to float32 once rather than in each run.
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

/** How to compile a program: options of its build, or the built program, and the use of memory. */
export type How =
  & (Omit<ProgramOptions, keyof BuiltParts | "host"> | Readonly<{ program: Program }>)
  & Readonly<{
    memory: SessionMemory | ((program: Program) => SessionMemory);
    /** Ids of values that the backward pass recomputes instead of keeping. */
    recomputed?: ReadonlySet<number> | undefined;
  }>;

/** The outputs of a session run, by name. */
export type Results = Readonly<Record<string, OrtTensor>>;

/** Options of a run in addition to its batch. */
export type RunOptions = Readonly<{
  /** Inputs by name, such as weights; those that the program does not have are ignored. */
  inputs?: Named<OrtTensor>;
  /** Returns the factor of a loss; absent: 1. */
  factorOf?: (loss: string) => number;
  /** The loss scale, for gradients in few bits. */
  lossScale?: number;
  /** What dropout masks depend on; absent: there are no masks. */
  moment?: RandomContext;
  /** The buffer of each wanted output (null: the runtime allocates it); absent: all outputs, which it allocates. */
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
    // Programs without gradients compute with the trained weights in float32.
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

/** Creates the feeds for the factors of a program's losses; `feeds`: the inputs of its session. */
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

/** Picks the parts of a model that its programs are built from. */
function partsOf(model: BuiltParts): BuiltParts {
  const { backbone, heads, losses, attached, accelerators, labelSmoothing, taskName } = model;
  return { backbone, heads, losses, attached, accelerators, labelSmoothing, taskName };
}

/** Reads a loss from a run's results: its sum times its factor. */
export function lossIn(results: Results, loss: string): number {
  return (results[`loss.${loss}`]?.data as Float32Array | undefined)?.[0] ?? NaN;
}

/** Returns the head outputs among a run's results. */
export function outputsIn(results: Results, { outputs }: Program): Named<Tensor<Float32Array>> {
  return Object.fromEntries(outputs.flatMap((name) => {
    const result = results[name];
    return result ? [[name, { dtype: "float32", dims: result.dims, data: result.data as Float32Array }]] : [];
  }));
}
