/** One optimizer step over the parameters that some programs reach. */
import type { Optimizer, StepContext } from "../../types.ts";
import type { KernelMemory } from "../../kernels/kernels.ts";
import type { UpdateGroup } from "./memory.ts";
import { type GroupSettings, isReached, reachKey } from "./plan.ts";
import type { Progress } from "./saved.ts";

/** A step's update before the settings of groups; `factor`: the schedule's factor of a learning rate. */
export type StepUpdate = Omit<StepContext, "appliesWeightDecay" | "weightDecay"> & Readonly<{ factor: number }>;

/** The parameters to update, and the optimizer. */
type Updated = Readonly<{
  progress: Progress;
  groups: readonly UpdateGroup[];
  optimizer: Optimizer;
  kernels: KernelMemory["kernels"];
}>;

/** Updates every group that is reached; rows that no data names shrink in closed form. */
export function applyUpdate(
  { progress, groups, optimizer, kernels }: Updated,
  update: StepUpdate,
  programs: ReadonlySet<number>,
): void {
  const { trained, idle, updatesByReach } = progress;
  for (const [key, count] of updatesByReach) {
    if (key.split("+").some((i) => programs.has(Number(i)))) updatesByReach.set(key, count + 1);
  }
  const contextOf = (settings: GroupSettings): StepContext =>
    stepContext({ ...update, step: updatesByReach.get(reachKey(settings)) ?? update.step }, settings);
  for (const { span, settings } of groups) {
    if (isReached(settings, programs)) optimizer.update(span, contextOf(settings), kernels);
  }
  for (const { name, settings } of trained) {
    const factor = idle.get(name);
    if (factor === undefined || !isReached(settings, programs)) continue;
    idle.set(name, factor * (optimizer.decayWithoutGradient?.(contextOf(settings)) ?? 1));
  }
  progress.updates++;
}

function stepContext(
  { factor, ...update }: StepUpdate,
  { rate, lrScale, appliesWeightDecay, weightDecay }: GroupSettings,
): StepContext {
  const learningRate = (rate === undefined ? update.learningRate : rate * factor) * lrScale;
  return { ...update, learningRate, appliesWeightDecay, weightDecay };
}
