/** What evaluators and generators are made from. */
import type { Host, OrtTensor } from "../types.ts";
import type { ModelParts } from "./compile.ts";
import type { ProgramOptions } from "./program.ts";

/** Options of an evaluator. `weights`: tensors of the parameters that are fed. */
export type EvaluatorOptions =
  & ModelParts
  & Pick<ProgramOptions, "reads" | "outputHiddenStates" | "outputAttentions">
  & Readonly<{
    host: Host;
    weights: Readonly<Record<string, OrtTensor>>;
    /** Frozen weights up to this many bytes are packed for generation, which is faster and one more copy of them. */
    prepackLimit?: number;
  }>;
