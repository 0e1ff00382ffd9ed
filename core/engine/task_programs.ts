/** The training programs of a run's tasks, and all of their parameters. */
import type { Random } from "../math/random.ts";
import type { Batch } from "../types.ts";
import { queryBlocksFor } from "./builder/attention.ts";
import type { Parameter } from "./builder/parameters.ts";
import type { BuiltParts } from "./compile.ts";
import type { EngineOptions, EngineTask } from "./engine_options.ts";
import { buildProgram, type PreparedRegularizer, type Program, type ProgramOptions } from "./program.ts";
import { type InitialWeights, initialWeights } from "./weights.ts";

/** A task with its training program. */
export type TaskProgram = Readonly<{
  task: EngineTask;
  program: Program;
  initial: InitialWeights;
  regularizers: readonly PreparedRegularizer[];
}>;

/** Parameters by name, and their initial values. */
export type TaskParameters = Readonly<{ parameters: ReadonlyMap<string, Parameter>; initial: InitialWeights }>;

/** Builds the training program of each task, unless a plan has built it. */
export async function buildTaskPrograms(options: EngineOptions, random: Random): Promise<readonly TaskProgram[]> {
  const programs: TaskProgram[] = [];
  for (const task of options.tasks) {
    const initial = initialWeights(options.checkpoint, task.attached, options.backbone, random);
    const regularizers = options.regularizers?.length
      ? await (await import("./prepare.ts")).prepareRegularizers(options, task, initial)
      : [];
    const program = task.built?.program ?? buildTraining({ ...options, ...task, taskName: task.name }, {
      ...task,
      host: options.host,
      checkpointing: options.checkpointing,
      regularizers,
    });
    programs.push({ task, program, initial, regularizers });
  }
  return programs;
}

/** The options of a training program, with the batches it is built for: an example and the largest. */
export type TrainingBuild =
  & Pick<ProgramOptions, "checkpointing" | "regularizers" | "host">
  & Readonly<{ example: Batch; largest: Batch }>;

/** Builds the training program of a task. */
export function buildTraining(model: BuiltParts, { example, largest, ...how }: TrainingBuild): Program {
  return buildProgram({
    ...model,
    ...how,
    mode: "train",
    queryBlocks: queryBlocksFor(largest),
    targets: example.inputs,
  });
}

/** Merges the parameters of all programs; the first task determines the initial value of a shared parameter. */
export function mergeParameters(programs: readonly TaskProgram[], first: TaskProgram): TaskParameters {
  const parameters = new Map<string, Parameter>();
  const owners = new Map<string, InitialWeights>();
  for (const { program, initial } of programs) {
    for (const p of program.recorded.parameters.values()) {
      const known = parameters.get(p.name);
      parameters.set(p.name, { ...p, ids: [...new Set([...known?.ids ?? [], ...p.ids])] });
      if (!known) owners.set(p.name, initial);
    }
  }
  const of = (p: Parameter): InitialWeights => owners.get(p.name) ?? first.initial;
  const initial: InitialWeights = {
    nameInCheckpoint: (p) => of(p).nameInCheckpoint(p),
    isNew: (p) => of(p).isNew(p),
    read: (p) => of(p).read(p),
    storageOf: (p) => of(p).storageOf(p),
    encode: (p) => of(p).encode(p),
    readStored: (p) => of(p).readStored(p),
  };
  return { parameters, initial };
}
