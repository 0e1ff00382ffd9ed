/**
 * Searches over options of a run spec: spaces, trials, the searches that propose trials, and the pruners that end them
 * early.
 */
import type { AttuneError } from "../base/errors.ts";
import type { Json, Named, Random } from "../base/types.ts";
import type { Plugin } from "./plugin.ts";

/**
 * The values that a searched option may have. `log`: all orders of magnitude are equally likely. `when`: the values of
 * other options, one or a list for each, with which this option applies.
 */
export type Space =
  | Readonly<{ type: "float"; low: number; high: number; log?: boolean; step?: number; when?: Named<Json> }>
  | Readonly<{ type: "int"; low: number; high: number; log?: boolean; step?: number; when?: Named<Json> }>
  | Readonly<{ type: "categorical"; choices: readonly Json[]; when?: Named<Json> }>;

/** The state of a trial. */
export type TrialState = "running" | "complete" | "pruned" | "failed";

/** One trial. `params`: values by path in the spec; `values`: reported values by step (null: not a number). */
export type Trial = Readonly<{
  number: number;
  params: Named<Json>;
  state: TrialState;
  values: readonly (readonly [step: number, value: number | null])[];
  /** The final value of the metric; null before the trial's end, and if it has none. */
  value: number | null;
}>;

/** A search and all of its trials so far, in order. */
export type Study = Readonly<{
  name: string;
  space: Named<Space>;
  direction: "minimize" | "maximize";
  trials: readonly Trial[];
}>;

/** The settings of every search. */
export type SearchSettings = Readonly<{
  /** The searched options, by path in the spec. */
  space: Named<Space>;
  /** The number of trials; absent: until the search proposes no more. */
  trials?: number | undefined;
  /** The seed of the proposals. */
  seed: number;
  /** The metric by which trials are judged. */
  metric: string;
  /** Absent: the metric's own direction; a loss is minimized. */
  direction?: "minimize" | "maximize" | undefined;
  /** The number of trials that run at the same time. */
  parallel: number;
  /** The pruner, which ends trials early. */
  pruner: Pruner;
  /** Returns the errors of a space in a spec; `issuesOf`: returns those of a spec; `name`: writes the task's default
   * part that a path leads into. A field, so that runs without a search need not load this code. */
  wrongSpace(
    spec: Named<Json>,
    space: Named<Space>,
    issuesOf: (spec: Named<Json>) => readonly AttuneError[],
    name: (spec: Named<Json>, path: string) => Named<Json>,
  ): readonly AttuneError[];
}>;

/**
 * Proposes trials. `next` is pure: it returns the next trial's values from all trials so far, including running ones;
 * undefined ends the search.
 */
export interface Search extends Plugin<"search"> {
  readonly settings: SearchSettings;
  next(study: Study, random: Random): Named<Json> | undefined;
}

/**
 * Ends trials early. `prune` is pure, and called whenever a trial has reported a value, which is the last of
 * `trial.values`.
 */
export interface Pruner extends Plugin<"pruner"> {
  prune(trial: Trial, study: Study): boolean;
}
