/** Options of evaluators and generators. */
import type { Host, OrtTensor } from "../types.ts";
import type { ModelParts } from "./compile.ts";
import type { ProgramOptions } from "./program.ts";

/** Options of an evaluator. `weights`: the tensors of fed parameters. */
export type EvaluatorOptions =
  & ModelParts
  & Pick<ProgramOptions, "reads" | "outputHiddenStates" | "outputAttentions">
  & Readonly<{
    host: Host;
    weights: Readonly<Record<string, OrtTensor>>;
    /** The most bytes of frozen weights that are packed for generation, which is faster but takes another copy. */
    prepackLimit?: number;
  }>;
