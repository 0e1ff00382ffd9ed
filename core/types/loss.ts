/** Losses, which compute a scalar from outputs and targets. */
import type { Value } from "../graph/graph.ts";
import type { Named, Tensor } from "../base/types.ts";
import type { GraphBuilder } from "./build.ts";
import type { Plugin } from "./plugin.ts";

/**
 * A loss: a sum over elements. `count`: the divisor of the sum, from the target alone. `over`: one mean over the
 * "step", or the mean of the means of each "batch". `per`: what the target has a row for, if not for each row of the
 * output. `weighted`: sum and count read the weights of the target's rows [rows], if rows of data have weights.
 */
export interface Loss extends Plugin<"loss"> {
  readonly over: "step" | "batch";
  readonly per?: "sequence";
  readonly weighted?: boolean;
  /**
   * The target's relation to the output: a value for each of its "elements", a class id for each row ("classes", -100:
   * ignored), or a value for each of its "rows". Shapes are checked before the loss is built. Absent: another relation.
   */
  readonly compares?: "elements" | "classes" | "rows";
  /** Options with a value per class, whose number must equal the size of the output's last axis. */
  readonly perClass?: Named<readonly number[] | undefined>;
  /** Present if the loss depends on the number of training labels of each class: returns the loss for these counts. */
  withClassCounts?(counts: readonly number[]): Loss;
  sum(b: GraphBuilder, output: Value, target: Value, weight?: Value): Value;
  count(target: Tensor, weight?: Tensor): number;
}
