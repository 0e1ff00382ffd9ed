/** The sessions of training programs, within a run's memory limit. */
import { compile, type CompiledProgram, type ModelParts } from "./compile.ts";
import { dimsWith } from "./feeds.ts";
import type { EngineOptions } from "./engine_options.ts";
import { frozenBytes } from "./packing.ts";
import { gradientCopies, placeWeights } from "./placement.ts";
import { createRecomputer, type Recomputer } from "./recompute.ts";
import type { State } from "./state/state.ts";
import type { TaskParameters, TaskProgram } from "./task_programs.ts";
import { decodingBytes, savesTime, storedBytes } from "./weights.ts";

/** If the values of a step take fewer bytes than this, garbage collection is left to the runtime. */
const WORTH_COLLECTING = 2 ** 27;

/** Opens a session for each program. `fed`: the parameters that change, which are inputs. */
export async function openTrainingSessions(
  options: EngineOptions,
  programs: readonly TaskProgram[],
  { parameters, initial }: TaskParameters,
  state: State,
  { fed, feeder }: Pick<ModelParts, "fed" | "feeder">,
): Promise<readonly CompiledProgram[]> {
  const { host, checkpoint } = options;
  const frozen = programs.reduce((bytes, { program }) => bytes + frozenBytes(program, fed, initial), 0);
  const isEncoded = [...parameters.values()].some((p) => !fed.has(p.name) && initial.storageOf(p));
  // Runs with encoded weights are short of memory, so they do not pack: it takes two more copies of the head.
  const prepack = frozen <= options.prepackLimit && !isEncoded;
  const stored = [...parameters.values()].filter((p) => !fed.has(p.name))
    .reduce((bytes, p) => bytes + storedBytes(p, initial, checkpoint), 0);
  const { parameters: trained, gradients, optimizer } = state.bytes;
  const copied = programs.reduce(
    (bytes, { program: { recorded: { parameters } } }) =>
      bytes + placeWeights({
        parameters: parameters.values(),
        isFed: (name) => fed.has(name),
        initial,
        checkpoint,
        provider: host.provider,
      }).copiedBytes,
    0,
  );
  const decoding = decodingBytes([...parameters.values()].filter((p) => !fed.has(p.name)), initial);
  const budget = options.activationBudget(
    trained + gradients + gradientCopies(trained, host.provider) + optimizer + (prepack ? 2 : 1) * stored + copied +
      decoding,
    savesTime(parameters.values(), initial, checkpoint),
  );
  const compiled: CompiledProgram[] = [];
  let most = 0;
  for (const taskProgram of programs) {
    const { task, program } = taskProgram;
    const { values, peak } = recomputerOf(taskProgram)(budget);
    most = Math.max(most, peak);
    compiled.push(
      await compile(
        { ...options, ...task, taskName: task.name, initial, fed, feeder },
        { program, memory: prepack ? "packed" : "mapped", recomputed: values },
        host,
      ),
    );
  }
  // Garbage from opening would add to the memory of steps.
  if (most > WORTH_COLLECTING) host.collectGarbage?.();
  return compiled;
}

function recomputerOf({ program, task: { largest, built } }: TaskProgram): Recomputer {
  return built?.recomputer ?? createRecomputer(program, dimsWith(program.graph.inputs.keys(), largest));
}
