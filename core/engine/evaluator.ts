/**
 * Outputs and losses of batches, with weights as they stand: its own session over the same mapped files.
 * @module
 */
import { countIn } from "../data/row_weight.ts";
import type { Tensor } from "../base/tensor.ts";
import type { Batch, Named, Ort, OrtTensor } from "../types.ts";
import type { EvaluatorOptions } from "./evaluator_options.ts";
import type { Generator } from "./generator.ts";
import { buildProgram, lossFactorInput, type Program, trainsRule } from "./program.ts";
import { openSession, scalarOf, type Session } from "./sessions.ts";

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
export function shared(evaluator: Evaluator): Evaluator {
  const close = (): Promise<void> => Promise.resolve();
  return { ...evaluator, close, generator: async () => ({ ...await evaluator.generator(), close }) };
}

/** An evaluator; its sessions are opened when they are first asked for. */
export function createEvaluator(options: EvaluatorOptions): Evaluator {
  const { host, checkpoint, initial, fed, feeder } = options;
  const lib = host.lib as Ort;
  let generator: Generator | undefined;
  const known = new Map<string, Readonly<{ program: Program; session: Session }>>();
  const opened = async (batch: Batch, labelled: boolean): Promise<Readonly<{ program: Program; session: Session }>> => {
    // Some data sets have weights of rows, others none.
    const key = `${labelled} ${labelled && batch.weight !== undefined}`;
    const found = known.get(key);
    if (found) return found;
    const program = buildProgram({
      ...options,
      mode: "evaluate",
      checkpointing: false,
      isTrainable: trainsRule(options.attached),
      targets: labelled ? batch.inputs : {},
      given: Object.keys(batch.inputs),
    });
    const session = await openSession({
      host,
      graph: program.graph,
      parameters: program.recorded.parameters,
      checkpoint,
      initial,
      fed,
      // Weights stay mapped: evaluation is short, and packing would be one more copy of them.
      prepack: false,
      arena: false,
      compact: true,
    });
    const own = { program, session };
    known.set(key, own);
    return own;
  };
  return {
    generator: async () => (generator ??= (await import("./generator.ts")).createGenerator(options)),
    run: async (batch, labelled, weights = options.weights) => {
      const { program, session } = await opened(batch, labelled);
      const extra: Record<string, OrtTensor> = {};
      for (const [name, tensor] of Object.entries(weights)) if (session.feeds.has(name)) extra[name] = tensor;
      for (const name of program.losses) {
        extra[lossFactorInput(name)] = new lib.Tensor("float32", Float32Array.of(1), []);
      }
      const results = await session.run(await feeder.feeds(session, program.recorded, batch, extra, undefined));
      const outputs: Record<string, Tensor<Float32Array>> = {};
      for (const name of program.outputs) {
        const result = results[name];
        if (result) outputs[name] = { dtype: "float32", dims: result.dims, data: result.data as Float32Array };
      }
      const losses = options.losses.filter((l) => program.losses.includes(l.name)).map((l) => [
        l.name,
        { sum: l.weight * scalarOf(results[`loss.${l.name}`]), count: countIn(batch, l.loss, l.target) },
      ]);
      return { outputs, losses: Object.fromEntries(losses) };
    },
    close: async () => {
      for (const { session } of known.values()) await session.close();
      known.clear();
      await generator?.close();
    },
  };
}
