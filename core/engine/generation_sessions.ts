/** The sessions of generation: one graph for prompts and one for a further token, or one graph for both. */
import type { Phase } from "./builder/options.ts";
import { compile, type CompiledProgram } from "./compile.ts";
import type { EvaluatorOptions } from "./evaluator_options.ts";
import { LOGITS_AT } from "./generation_batches.ts";
import { packedBytes } from "./packing.ts";

/** Programs by phase. */
export interface GenerationSessions {
  /** Returns the program of a phase, which is opened on first use. */
  open(phase: Phase): Promise<CompiledProgram>;
  close(): Promise<void>;
}

/** Creates the sessions, none of which is open yet. */
export function createGenerationSessions(options: EvaluatorOptions): GenerationSessions {
  const { host, fed, initial, prepackLimit = 0 } = options;
  const opened = new Map<Phase, CompiledProgram>();
  return {
    open: async (phase) => {
      const known = opened.get(phase);
      if (known) return known;
      const compiled = await compile({ ...options, losses: [] }, {
        mode: "generate",
        phase,
        targets: { [LOGITS_AT]: { dtype: "int32", dims: [0], data: new Int32Array(0) } },
        fields: [],
        memory: (program) => {
          const copies = host.provider === "cpu" ? prepackLimit / packedBytes(program, fed, initial) : 0;
          // Decoded once rather than for each token, if memory allows: packing reads weights into memory first.
          return copies >= 2 ? "decoded" : copies >= 1 ? "packed" : "mapped";
        },
      }, host);
      opened.set(phase, compiled);
      return compiled;
    },
    close: async () => {
      for (const compiled of opened.values()) await compiled.close();
      opened.clear();
    },
  };
}
