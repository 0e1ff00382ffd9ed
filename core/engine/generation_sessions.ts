/**
 * The sessions of generation: a graph for prompts and one for a further token, or one graph for both.
 * @module
 */
import type { Phase } from "./builder/options.ts";
import type { EvaluatorOptions } from "./evaluator_options.ts";
import { LOGITS_AT } from "./generation_batches.ts";
import { packedBytes } from "./packing.ts";
import { buildProgram, type Program, trainsRule } from "./program.ts";
import { openSession, type Session } from "./sessions.ts";

/** A graph of generation, opened. */
export type GenerationSession = Readonly<{ program: Program; session: Session }>;

/** Sessions by phase. */
export interface GenerationSessions {
  /** The session of a phase, opened when it is first asked for. */
  open(phase: Phase): Promise<GenerationSession>;
  close(): Promise<void>;
}

/** No session yet. */
export function createGenerationSessions(options: EvaluatorOptions): GenerationSessions {
  const opened = new Map<Phase, GenerationSession>();
  return {
    open: async (phase) => {
      const known = opened.get(phase);
      if (known) return known;
      const program = buildProgram({
        ...options,
        mode: "generate",
        phase,
        losses: [],
        checkpointing: false,
        isTrainable: trainsRule(options.attached),
        targets: { [LOGITS_AT]: { dtype: "int32", dims: [0], data: new Int32Array(0) } },
      });
      const { host, fed, initial, prepackLimit = 0 } = options;
      const fits = (copies: number): boolean =>
        host.provider === "cpu" && copies * packedBytes(program, fed, initial) <= prepackLimit;
      const session = await openSession({
        ...options,
        graph: program.graph,
        parameters: program.recorded.parameters,
        prepack: fits(1),
        // Once rather than with each token. They are read into memory before they are packed.
        decoded: fits(2),
        arena: true,
      });
      opened.set(phase, { program, session });
      return { program, session };
    },
    close: async () => {
      for (const { session } of opened.values()) await session.close();
      opened.clear();
    },
  };
}
