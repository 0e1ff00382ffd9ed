/** Losses: outputs and targets to a scalar. */
import type { Value } from "../graph/graph.ts";
import type { Named, Tensor } from "../base/types.ts";
import type { GraphBuilder } from "./build.ts";
import type { Plugin } from "./plugin.ts";

/**
 * Element losses added up. `count`: what divides the sum, from the target alone. `over`: one mean over the "step", or
 * the mean of the means of each "batch". `per`: what the target has a row for, where it is not each row of the output.
 * `weighted`: both read the weight of each of the target's rows [rows], where rows of data have weights.
 */
export interface Loss extends Plugin<"loss"> {
  readonly over: "step" | "batch";
  readonly per?: "sequence";
  readonly weighted?: boolean;
  /**
   * The target's relation to the output: a value for each "element" of it, the number of a class for each row, where a
   * row of -100 counts for nothing, or one value for each of its "rows". Shapes are compared before the loss is built. Absent: something else.
   */
  readonly compares?: "elements" | "classes" | "rows";
  /** Options that have a value for each class: as many as the output's last axis is long. */
  readonly perClass?: Named<readonly number[] | undefined>;
  /** Present where it waits to know how many labels of each class the training rows have: the loss that knows. */
  withClassCounts?(counts: readonly number[]): Loss;
  sum(b: GraphBuilder, output: Value, target: Value, weight?: Value): Value;
  count(target: Tensor, weight?: Tensor): number;
}
