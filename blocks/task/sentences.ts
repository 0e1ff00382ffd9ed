/**
 * How sentence embeddings are computed, given by the spec or the checkpoint's folder; shared by the tasks that train
 * them.
 */
import * as v from "valibot";
import type { Pooling, SentenceModules } from "../../core/files/sentence_modules.ts";
import type { Subtask } from "../../core/types.ts";

/** Options of sentence embeddings. */
export interface SentenceOptions {
  /** How token states become one vector. Absent: as the checkpoint's modules.json says, or else the mean. */
  readonly pooling?: Pooling | undefined;
  /** Whether to normalize vectors to length 1. Absent: as modules.json says, or else true. */
  readonly normalize?: boolean | undefined;
  /** Text to put before every text. Absent: the checkpoint's default prompt, if it has one. */
  readonly prompt?: string | undefined;
  /** Names of the columns, if they differ. */
  readonly columns: Readonly<Record<string, string>>;
}

/** Entries of the schemas of {@link SentenceOptions}. */
export const sentenceEntries: {
  readonly pooling: v.OptionalSchema<v.GenericSchema<Pooling>, undefined>;
  readonly normalize: v.OptionalSchema<v.GenericSchema<boolean>, undefined>;
  readonly prompt: v.OptionalSchema<v.GenericSchema<string>, undefined>;
  readonly columns: v.OptionalSchema<v.GenericSchema<Record<string, string>>, Record<string, never>>;
} = {
  pooling: v.optional(v.picklist(["mean", "first", "last", "max", "mean-sqrt-len", "weighted-mean"])),
  normalize: v.optional(v.boolean()),
  prompt: v.optional(v.string()),
  columns: v.optional(v.record(v.string(), v.string()), {}),
};

/** The parts of a task that depend on how embeddings are computed. */
export type SentenceParts = Omit<Subtask, "name" | "asksModules" | "withConfig" | "modules" | "taskType">;

/** Returns a task whose embeddings are computed as the spec says or, by default, the checkpoint's folder. */
export function sentenceTask<O extends SentenceOptions>(
  options: O,
  partsOf: (options: O, modules: SentenceModules) => SentenceParts,
  known?: SentenceModules,
): Subtask {
  const modules = modulesOf(options, known);
  return {
    ...partsOf(options, modules),
    name: "",
    asksModules: true,
    withConfig: (context) => sentenceTask(options, partsOf, context.modules),
    modules,
    taskType: "FEATURE_EXTRACTION",
  };
}

/** Returns how embeddings are computed; the spec has precedence over the checkpoint's folder. */
function modulesOf(options: SentenceOptions, known: SentenceModules | undefined): SentenceModules {
  const { pooling, normalize, prompt } = options;
  const modules = known ?? { pooling: ["mean"], steps: ["normalize"], prompt: "", lowercase: false };
  const rest = modules.steps.filter((step) => step !== "normalize");
  const steps = normalize === undefined ? modules.steps : normalize ? [...rest, "normalize" as const] : rest;
  return { ...modules, ...(pooling ? { pooling: [pooling] } : {}), steps, prompt: prompt ?? modules.prompt };
}
