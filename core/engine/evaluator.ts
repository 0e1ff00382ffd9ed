/** Outputs and losses of batches, with weights as they stand: its own session over the same mapped files. */
import { countIn } from "../data/row_weight.ts";
import type { Tensor } from "../base/tensor.ts";
import type { Batch, Named, OrtTensor } from "../types.ts";
import { compile, type CompiledProgram, lossIn, outputsIn } from "./compile.ts";
import type { EvaluatorOptions } from "./evaluator_options.ts";
import type { Generator } from "./generator.ts";

/** What a batch gave: outputs, and sum and count of each loss. */
export type BatchResult = Readonly<{
  outputs: Named<Tensor<Float32Array>>;
  losses: Named<Readonly<{ sum: number; count: number }>>;
}>;

/** Computes batches. */
export interface Evaluator {
  /** Without labels only outputs come back. `weights`: fed parameters, in place of those the evaluator has. */
  run(batch: Batch, labelled: boolean, weights?: Readonly<Record<string, OrtTensor>>): Promise<BatchResult>;
  /** What goes on with prompts, with the same weights; closed with the evaluator. */
  generator(): Promise<Generator>;
  /** Gives the sessions' memory back; they are opened again where they are needed again. */
  close(): Promise<void>;
}

/** The same evaluator for several users, each of which closes it: the sessions stay open. */
export function shareEvaluator(evaluator: Evaluator): Evaluator {
  const close = (): Promise<void> => Promise.resolve();
  return { ...evaluator, close, generator: async () => ({ ...await evaluator.generator(), close }) };
}

/** An evaluator; its sessions are opened when they are first asked for. */
export function createEvaluator(options: EvaluatorOptions): Evaluator {
  const { host, reads, outputHiddenStates, outputAttentions } = options;
  let generator: Generator | undefined;
  const known = new Map<string, CompiledProgram>();
  const opened = async (batch: Batch, labelled: boolean): Promise<CompiledProgram> => {
    // Some data sets have weights of rows, others none.
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
      // Evaluation is short, and packing would be one more copy of weights.
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
