/** Evaluation: outputs and losses of batches with the current weights, in sessions over the same mapped files. */
import { countIn } from "../data/row_weight.ts";
import type { Tensor } from "../base/tensor.ts";
import type { Batch, Named, OrtTensor } from "../types.ts";
import { compile, type CompiledProgram, lossIn, outputsIn } from "./compile.ts";
import type { EvaluatorOptions } from "./evaluator_options.ts";
import type { Generator } from "./generator.ts";

/** The result of a batch: outputs, and the sum and count of each loss. */
export type BatchResult = Readonly<{
  outputs: Named<Tensor<Float32Array>>;
  losses: Named<Readonly<{ sum: number; count: number }>>;
}>;

/** Computes outputs and losses of batches. */
export interface Evaluator {
  /** Computes a batch; without labels, only its outputs. `weights`: fed parameters in place of the evaluator's own. */
  run(batch: Batch, labelled: boolean, weights?: Readonly<Record<string, OrtTensor>>): Promise<BatchResult>;
  /** Returns a text generator with the same weights, which is closed with the evaluator. */
  generator(): Promise<Generator>;
  /** Frees the sessions; they are opened again when needed. */
  close(): Promise<void>;
}

/** Wraps an evaluator for several users, each of which may close it without closing the sessions. */
export function shareEvaluator(evaluator: Evaluator): Evaluator {
  const close = (): Promise<void> => Promise.resolve();
  return { ...evaluator, close, generator: async () => ({ ...await evaluator.generator(), close }) };
}

/** Creates an evaluator, whose sessions are opened on first use. */
export function createEvaluator(options: EvaluatorOptions): Evaluator {
  const { host, reads, outputHiddenStates, outputAttentions } = options;
  let generator: Generator | undefined;
  const known = new Map<string, CompiledProgram>();
  const opened = async (batch: Batch, labelled: boolean): Promise<CompiledProgram> => {
    // Programs differ with labels and with row weights, which only some data sets have.
    const key = `${labelled} ${labelled && batch.weight !== undefined}`;
    const evaluator = known.get(key);
    if (evaluator) return evaluator;
    const compiled = await compile(options, {
      mode: "evaluate",
      targets: labelled ? batch.inputs : {},
      fields: Object.keys(batch.inputs),
      reads,
      outputHiddenStates,
      outputAttentions,
      // Evaluation is short, and packing would take another copy of the weights.
      memory: "compact",
    }, host);
    known.set(key, compiled);
    return compiled;
  };
  return {
    generator: async () => (generator ??= (await import("./generator.ts")).createGenerator(options)),
    run: async (batch, labelled, weights = options.weights) => {
      const { program, run } = await opened(batch, labelled);
      const results = await run(batch, { inputs: weights });
      const losses = options.losses.filter((l) => program.losses.includes(l.name)).map((l) => [
        l.name,
        { sum: l.weight * lossIn(results, l.name), count: countIn(batch, l.loss, l.target) },
      ]);
      return { outputs: outputsIn(results, program), losses: Object.fromEntries(losses) };
    },
    close: async () => {
      for (const compiled of known.values()) await compiled.close();
      known.clear();
      await generator?.close();
    },
  };
}
