/** Step hooks: the work of adapters between optimizer steps. */
import type { AttachedAdapter, Named, StepHook } from "../types.ts";
import { qualifyName } from "./builder/parameters.ts";
import type { TrainableParameter } from "./state/memory.ts";
import type { SavedTensors } from "./state/saved.ts";
import type { TaskProgram } from "./task_programs.ts";

/** The step hooks of a run's adapters. */
export interface StepHooks {
  /** Calls the hooks of the tasks in a step, after its update. */
  onStep(at: StepHookContext, active: ReadonlySet<number>): void;
  /** Returns the hooks' tensors for a checkpoint. */
  tensors(): SavedTensors;
  restore(tensors: SavedTensors): void;
}

type StepHookContext = Omit<Parameters<StepHook["onStep"]>[0], "parameter">;
type Entry = { attached: AttachedAdapter; stepHook: StepHook; reached: number[] };

/** Returns the prefix of a hook's tensors in checkpoints. */
const prefixOf = (i: number): string => `stepper/${i}/`;

/** Creates the hooks of tasks' adapters; an adapter that several tasks share has one hook. */
export function createStepHooks(
  programs: readonly TaskProgram[],
  parameters: ReadonlyMap<string, TrainableParameter>,
): StepHooks {
  const entries: Entry[] = [];
  for (const [i, { task }] of programs.entries()) {
    for (const a of task.attached) {
      if (!a.stepHook) continue;
      const known = entries.find(({ attached, reached }) => attached.name === a.name && !reached.includes(i));
      if (known) known.reached.push(i);
      else entries.push({ attached: a, stepHook: a.stepHook(), reached: [i] });
    }
  }
  return {
    onStep: (at, active) => {
      for (const { attached, stepHook, reached } of entries) {
        if (!reached.some((i) => active.has(i))) continue;
        const parameter = (name: string): { value: Float32Array; gradient: Float32Array } | undefined => {
          const span = parameters.get(qualifyName(attached, name))?.span;
          return span && { value: span.parameter, gradient: span.gradient };
        };
        stepHook.onStep({ ...at, parameter });
      }
    },
    tensors: () =>
      Object.fromEntries(
        entries.flatMap(({ stepHook }, i) =>
          Object.entries(stepHook.tensors()).map(([name, tensor]) => [prefixOf(i) + name, tensor])
        ),
      ),
    restore: (tensors) =>
      entries.forEach(({ stepHook }, i) => {
        const saved: Named<SavedTensors[string]> = Object.fromEntries(
          Object.entries(tensors).filter(([name]) => name.startsWith(prefixOf(i)))
            .map(([name, tensor]) => [name.slice(prefixOf(i).length), tensor]),
        );
        stepHook.restore(saved);
      }),
  };
}
