/** Accelerators that store weights as codes, and the block sizes of those codes. */
import { storedNames } from "../../engine/weights.ts";
import type { Accelerator } from "../../types.ts";
import type { OpenRun } from "./open_run.ts";

/** Returns how many inputs share a scale in the codes of a linear layer's weight; undefined if it has no blocks. */
export function blockSizeOf(
  { run, backbone, checkpoint }: Pick<OpenRun, "run" | "backbone" | "checkpoint">,
  module: string,
): number | undefined {
  const name = `${module}.weight`;
  const storedName = storedNames(checkpoint.weights.names, backbone)(name);
  const format = storedName === undefined ? undefined : checkpoint.weights.formatOf?.(storedName);
  if (format) return format.blocks?.size;
  const conv1d = backbone.conv1ds.includes(module);
  const [rows = 0, columns = 0] = backbone.shapes[name] ?? [];
  const weight = { name, module, dims: conv1d ? [columns, rows] as const : [rows, columns] as const, conv1d };
  return run.accelerators.map((accelerator) => accelerator.store?.(weight)).find((storage) => storage)?.format.blocks
    ?.size;
}

/** Whether an accelerator stores weights: it selects modules, or needs frozen weights. */
export function isQuantizer({ modules, needsFrozenWeights }: Accelerator): boolean {
  return modules !== undefined || needsFrozenWeights === true;
}
