/** Changes to a run that make it fit into memory. */
import { AttuneError } from "../../base/errors.ts";
import type { Fit, Host, Json, Named, Run, RunSpec } from "../../types.ts";
import { openTasks } from "../open/open.ts";
import { isQuantizer } from "../open/quantizer.ts";
import { measureTasks, planMeasured, type PlannedTask } from "./plan.ts";

/** Ways to store frozen weights, in order of how much they change a run's numbers, the least first. */
const storages: readonly Readonly<{ use: string; with?: Named<Json> }>[] = [
  { use: "bf16" },
  { use: "int8" },
  { use: "int4" },
  { use: "nf4" },
  { use: "nf4", with: { useDoubleQuant: true } },
];

/** Part of a spec that replaces the run's own. */
type Change = Readonly<{ accelerators?: readonly Json[]; training?: Named<Json> }>;

/**
 * Finds the cheapest change that makes a run fit into its memory: the first that fits, in order of cost. Other storage
 * of weights costs more than changes that keep all numbers; with the same storage, gradient checkpointing comes first,
 * then smaller batches (the largest first) with more gradient accumulation, then both. Each change is planned as a run
 * of its own. If none fits, the result is the change that takes the least memory.
 *
 * @throws AttuneError if the run cannot be opened.
 * @example
 * ```ts
 * import { type Host, proposeFit, type Run } from "attune";
 * export async function wouldFitWith(run: Run, host: Host): Promise<string> {
 *   const { fits, spec } = await proposeFit(run, host);
 *   return fits ? JSON.stringify(spec) : "nothing";
 * }
 * ```
 */
export async function proposeFit(run: Run, host: Host): Promise<Fit> {
  const measured = await measureTasks(run, host);
  const trainings = trainingsOf(run);
  const fits = new Map<string, Promise<Fit | undefined>>();
  let least: Fit | undefined;
  const planned = async (change: Change): Promise<Fit | undefined> => {
    const key = JSON.stringify(change);
    const fit = await (fits.get(key) ?? fits.set(key, planChange(run, host, measured, change)).get(key));
    if (fit && (!least || fit.bytes < least.bytes)) least = fit;
    return fit;
  };
  for (const accelerators of storagesOf(run)) {
    const changes = trainings.map((training): Change => ({ ...accelerators && { accelerators }, training }));
    // The last change has the smallest activations, but accumulated gradients may take more than small batches save.
    const smallest = [changes.at(-1), changes.findLast(({ training }) => !training?.gradientAccumulationSteps)];
    const any = await anyOf(smallest, async (change) => change !== undefined && (await planned(change))?.fits === true);
    if (!any) continue;
    for (const change of changes) {
      const fit = await planned(change);
      if (fit?.fits) return fit;
    }
  }
  return least ?? await planChange(run, host, measured, {}) as Fit;
}

/** Returns a proposal as one line of text. */
export function fitText({ fits, bytes, spec }: Fit): string {
  const text = `${JSON.stringify(spec)}, in ${inGigabytes(bytes)}`;
  return fits ? `fits with    ${text}` : `fits never   the least is ${text}`;
}

/** Returns a number of bytes as text in MB or GB. */
export function inGigabytes(bytes: number): string {
  return bytes < 9.95e7 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(bytes < 9.995e9 ? 2 : 1)} GB`;
}

async function anyOf<T>(items: readonly T[], test: (item: T) => Promise<boolean>): Promise<boolean> {
  for (const item of items) if (await test(item)) return true;
  return false;
}

/** Returns the values of `accelerators` to try: undefined (the run's own) first, then each way to store weights. */
function storagesOf(run: Run): readonly (readonly Json[] | undefined)[] {
  const quantizers = run.accelerators.filter(isQuantizer);
  // Several quantizers divide the modules among them, so it is unclear what would replace them.
  if (run.adapters.length === 0 || quantizers.length > 1) return [undefined];
  const [quantizer] = quantizers;
  const others = acceleratorsIn(run).filter((_, i) => run.accelerators[i] !== quantizer);
  const keptOptions = (name: string): Named<Json> => {
    const { modules, maxLossDrift } = quantizer ?? {};
    if (name === "bf16") return {};
    return {
      ...modules && modules.skipModules.length > 0 && { skipModules: [...modules.skipModules] },
      ...modules?.targetModules && { targetModules: [...modules.targetModules] },
      ...maxLossDrift !== undefined && { maxLossDrift },
    };
  };
  const there = storages.filter(({ use }) => run.catalog.accelerator?.[use] !== undefined);
  return [
    undefined,
    ...there.map(({ use, with: specOptions }): readonly Json[] => {
      const options = { ...specOptions, ...keptOptions(use) };
      return [Object.keys(options).length === 0 ? use : { use, with: options }, ...others];
    }),
  ];
}

/** Returns the accelerators in a run's spec as JSON, without those that its training arguments add. */
function acceleratorsIn({ spec, accelerators }: Run): readonly Json[] {
  return ([spec.accelerators ?? []].flat() as readonly unknown[]).map((part, i) => {
    const isWritten = typeof part === "string" || typeof part === "object" && part !== null && "use" in part;
    const accelerator = accelerators[i];
    return isWritten || !accelerator ? part as Json : { use: accelerator.name, with: accelerator.options as Json };
  });
}

/** Returns training arguments that reduce the activations of a step, the cheapest first. */
function trainingsOf({ training }: Run): readonly Named<Json>[] {
  const { perDeviceTrainBatchSize: size, gradientAccumulationSteps: steps, memory } = training;
  const sizes = Array.from({ length: size }, (_, i) => size - i).filter((n) => n < size && size % n === 0);
  const batches = sizes.map((n): Named<Json> => ({
    perDeviceTrainBatchSize: n,
    gradientAccumulationSteps: steps * (size / n),
  }));
  // The plan assumes a step within this limit, so the proposal repeats it.
  const limit: Named<Json> = memory === null ? {} : { memory };
  const checkpointing = { gradientCheckpointing: true };
  return [
    {},
    ...training.gradientCheckpointing ? [] : [checkpointing],
    ...batches,
    ...training.gradientCheckpointing ? [] : batches.map((batch) => ({ ...batch, ...checkpointing })),
  ].map((one) => ({ ...limit, ...one }));
}

/** Plans a run with a change; undefined if the run does not allow the change. */
async function planChange(
  run: Run,
  host: Host,
  measured: readonly PlannedTask[],
  change: Change,
): Promise<Fit | undefined> {
  const { accelerators, training = {} } = change;
  const spec = {
    ...run.spec,
    ...accelerators && { accelerators },
    training: { ...run.spec.training, ...training },
  } as unknown as RunSpec;
  try {
    const { task, data, model } = measured[0]?.open.run ?? run;
    const other = { ...await run.composeOther(spec), task, data, model };
    const size = other.training.perDeviceTrainBatchSize;
    const opened = await openTasks(other, host);
    const tasks = measured.map((task, i) => ({
      ...task,
      open: opened[i] ?? task.open,
      train: { ...task.train, longest: task.train.longest.slice(0, size) },
    }));
    const { fits, bytes: { total = 0 } } = await planMeasured(other, host, tasks);
    const texts = {
      ...accelerators && { accelerators },
      ...Object.keys(training).length > 0 && { training },
    };
    return { fits, bytes: total, spec: texts as Named<Json> };
  } catch (error) {
    if (error instanceof AttuneError && Object.keys(change).length > 0) return undefined;
    throw error;
  }
}
